"""Manifests and indexes: OCI's (image-spec manifest.md, image-index.md) and Docker's (schema 2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from builder.core.errors import ResolveError
from builder.sources.oci.reference import read_digest

_OCI = "application/vnd.oci.image."
_DOCKER = "application/vnd.docker.distribution.manifest."
_INDEXES = (f"{_OCI}index.v1+json", f"{_DOCKER}list.v2+json")
_MANIFESTS = (f"{_OCI}manifest.v1+json", f"{_DOCKER}v2+json")
_LAYERS = frozenset(
    (
        *(f"{_OCI}layer.v1.tar{suffix}" for suffix in ("", "+gzip", "+zstd")),
        *(f"application/vnd.docker.image.rootfs.diff.tar{suffix}" for suffix in ("", ".gzip", ".zstd")),
        "application/vnd.docker.image.rootfs.diff.tar+gzip",
    )
)
_CONFIGS = (f"{_OCI}config.v1+json", "application/vnd.docker.container.image.v1+json")

ACCEPTED = ", ".join((*_INDEXES, *_MANIFESTS))
"""The media types that registries are asked for."""
MAX_DOCUMENT = 4 << 20
"""The largest manifest or configuration that is read, in bytes; registries have the same limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Descriptor:
    """A blob by its digest (64 hex digits) and size in bytes."""

    digest: str
    size: int
    media_type: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """What an image is for, in the words of Go: linux, amd64, v2."""

    os: str = "linux"
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def parse_platform(text: str) -> Platform:
    """The platform that is written `OS/ARCHITECTURE[/VARIANT]`."""
    os, architecture, variant = (*text.split("/"), "")[:3]
    return Platform(os=os, architecture=architecture, variant=variant)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """One image: its configuration, and its layers from the lowest."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One image of an index; `platform` None where the index does not say, `name` is its annotation."""

    descriptor: Descriptor
    platform: Platform | None
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """Images to choose from; what is no image (attestations, signatures) is left out."""

    choices: tuple[Choice, ...]


def parse_document(data: bytes, where: str) -> Manifest | Index:
    """The manifest or index in `data`. Raises ResolveError for what this tool cannot or must not use."""
    document = read_json(data, where)
    kind = document.get("mediaType") or ""
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        raise ResolveError(
            "the registry has this image only in Docker's schema 1, which verifies nothing",
            where=where,
            fix="push it again with a current engine",
        )
    if kind in _INDEXES or (not kind and "manifests" in document):
        return _parse_index(document, where)
    if kind in _MANIFESTS or (not kind and "layers" in document):
        return _parse_manifest(document, where)
    raise ResolveError(f"is no container image but {str(kind)[:80] or 'something else'}", where=where)


def choose_image(index: Index, platform: Platform, where: str) -> Descriptor:
    """The image of `index` for `platform`; without a variant the most widely usable one."""
    fitting = [choice for choice in index.choices if _fits(choice.platform, platform)]
    if not fitting:
        known = ", ".join(sorted({str(choice.platform or "an unnamed platform") for choice in index.choices}))
        raise ResolveError(
            f"there is no image for {platform}, but for {known or 'nothing at all'}",
            where=where,
            fix="choose another image, or another architecture",
        )
    return min(fitting, key=_rank).descriptor


def _fits(found: Platform | None, wanted: Platform) -> bool:
    if found is None:
        return True
    same = (found.os, found.architecture) == (wanted.os, wanted.architecture)
    return same and wanted.variant in ("", found.variant)


def _rank(choice: Choice) -> tuple[bool, int]:
    """Known before unknown, then the variant that every machine of the architecture runs."""
    platform = choice.platform
    variant = platform.variant if platform else ""
    order = {"": 0, "v8": 0}
    return platform is None, order.get(variant, int(variant[1:]) if variant[1:].isdigit() else 99)


def read_json(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object in `data`. Raises ResolveError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ResolveError("is no JSON object, expected a description of an image", where=where)
    return value


def read_descriptor(value: object, where: str) -> Descriptor:
    """A content descriptor (image-spec descriptor.md). Raises ResolveError."""
    if not isinstance(value, dict):
        raise ResolveError("has a part without digest and size", where=where)
    digest, size = read_digest(value.get("digest"), where=where), value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ResolveError(f"gives {digest} the size {size!r}, expected a number of bytes", where=where)
    return Descriptor(digest=digest, size=size, media_type=str(value.get("mediaType") or ""))


def _list(document: dict[str, Any], name: str, where: str) -> list[Any]:
    value = document.get(name)
    if not isinstance(value, list):
        raise ResolveError(f"has no list of {name}", where=where)
    return value


def _parse_index(document: dict[str, Any], where: str) -> Index:
    choices = (_parse_choice(item, where) for item in _list(document, "manifests", where))
    return Index(choices=tuple(choice for choice in choices if choice is not None))


def _parse_choice(item: Any, where: str) -> Choice | None:
    descriptor = read_descriptor(item, where)
    notes, raw = item.get("annotations") or {}, item.get("platform")
    if "vnd.docker.reference.type" in notes or "artifactType" in item:
        return None
    if descriptor.media_type and descriptor.media_type not in (*_INDEXES, *_MANIFESTS):
        return None
    platform = _read_platform(raw) if isinstance(raw, dict) else None
    if platform is not None and platform.os == "unknown":
        return None
    name = str(notes.get("org.opencontainers.image.ref.name") or notes.get("io.containerd.image.name") or "")
    return Choice(descriptor=descriptor, platform=platform, name=name)


def _read_platform(raw: dict[str, Any]) -> Platform:
    fields = (str(raw.get(name) or "") for name in ("os", "architecture", "variant"))
    os, architecture, variant = fields
    return Platform(os=os, architecture=architecture, variant=variant)


def _parse_manifest(document: dict[str, Any], where: str) -> Manifest:
    config = read_descriptor(document.get("config"), where)
    if config.media_type not in ("", *_CONFIGS):
        raise ResolveError(f"is no container image but holds {config.media_type[:80]}", where=where)
    layers = _list(document, "layers", where)
    return Manifest(config=config, layers=tuple(_parse_layer(layer, where) for layer in layers))


def _parse_layer(value: Any, where: str) -> Descriptor:
    layer = read_descriptor(value, where)
    kind = layer.media_type
    if "foreign" in kind or "nondistributable" in kind or value.get("urls"):
        raise ResolveError(
            f"the layer sha256:{layer.digest} has to be fetched from elsewhere, as those of Windows images",
            where=where,
            fix="choose an image for Linux whose layers are all in the registry",
        )
    if kind and kind not in _LAYERS:
        raise ResolveError(
            f"the layer sha256:{layer.digest} is {kind[:80]}, expected a tar archive", where=where
        )
    return layer
