"""A file of a catalog as an artifact of a registry: an OCI manifest with one blob, and its path beside it.

Source: OCI image specification 1.1, manifest.md ("Guidelines for Artifact Usage") and descriptor.md. Tools
that know artifacts, such as oras, fetch the file under its name.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from builder.core.digests import sha256_bytes
from builder.core.errors import ResolveError
from builder.sources.oci.manifest import Descriptor, read_descriptor, read_json

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = b"{}"
"""The configuration of what is no container image."""
_KIND = "application/vnd.wslimg.file.v1"
_EMPTY_KIND = "application/vnd.oci.empty.v1+json"
_TITLE, _CREATED = "org.opencontainers.image.title", "org.opencontainers.image.created"
_PATH = "org.wslimg.path"
_SMALL = 1 << 14
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """The file `path` with the content `blob`, written at `created` (seconds since the epoch). `data` is the
    content itself where it is small."""

    path: str
    blob: Descriptor
    created: float
    data: bytes | None = None


def describe_bytes(data: bytes) -> Descriptor:
    """The blob that holds `data`."""
    return Descriptor(digest=sha256_bytes(data), size=len(data), media_type="application/octet-stream")


def keep_small(data: bytes) -> bytes | None:
    """`data` if it is small enough to be in a manifest, so that reading it takes one request."""
    return data if len(data) <= _SMALL else None


def encode_artifact(artifact: Artifact) -> bytes:
    """The manifest of `artifact`."""
    blob = _encode_descriptor(artifact.blob, artifact.data)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": _KIND,
        "config": _encode_descriptor(describe_bytes(EMPTY), EMPTY) | {"mediaType": _EMPTY_KIND},
        "layers": [blob | {"annotations": {_TITLE: artifact.path.rpartition("/")[2]}}],
        "annotations": {
            _PATH: artifact.path,
            _CREATED: datetime.fromtimestamp(artifact.created, UTC).strftime(_TIME),
        },
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def parse_artifact(data: bytes, where: str) -> Artifact:
    """The artifact that the manifest `data` describes. Raises ResolveError for any other manifest, and for
    content that is not what its digest says."""
    document = read_json(data, where)
    notes, layers = document.get("annotations"), document.get("layers")
    if document.get("artifactType") != _KIND or not isinstance(notes, dict) or not isinstance(layers, list):
        raise _foreign(where)
    try:
        created = datetime.strptime(notes[_CREATED], _TIME).replace(tzinfo=UTC).timestamp()
        path, (layer,) = str(notes[_PATH]), layers
        content = b64decode(layer["data"], validate=True) if "data" in layer else None
    except (KeyError, TypeError, ValueError):
        raise _foreign(where) from None
    blob = read_descriptor(layer, where)
    if content is not None and (len(content), sha256_bytes(content)) != (blob.size, blob.digest):
        raise ResolveError(f"holds other content than sha256 {blob.digest}", where=where)
    return Artifact(path=path, blob=blob, created=created, data=content)


def _encode_descriptor(blob: Descriptor, data: bytes | None) -> dict[str, object]:
    described: dict[str, object] = {
        "mediaType": blob.media_type,
        "digest": f"sha256:{blob.digest}",
        "size": blob.size,
    }
    return described if data is None else described | {"data": b64encode(data).decode("ascii")}


def _foreign(where: str) -> ResolveError:
    return ResolveError(
        "is no file of a catalog", where=where, fix="give a repository that holds nothing but a catalog"
    )
