"""A catalog in a repository of a container registry: blobs by digest, and a tag for each file.

wsl.exe downloads images from a registry that lets everybody pull: it knows no tokens. The lists, whose
addresses must not change with their content, have to be elsewhere (`SplitTarget`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from builder.core.digests import sha256_file
from builder.core.errors import ResolveError, UsageError
from builder.core.http import Http
from builder.publish.claims import is_claim, locked, put_claimed
from builder.publish.layout import DIGEST
from builder.publish.oci_artifact import (
    EMPTY,
    Artifact,
    describe_bytes,
    encode_artifact,
    keep_small,
    parse_artifact,
)
from builder.publish.oci_names import is_shortened, may_be_below, path_of, tag_of
from builder.publish.oci_push import push_blob
from builder.publish.oci_repository import Repository, publish_errors
from builder.publish.target import Capabilities, Count, Info, MissingError
from builder.sources.oci.manifest import Descriptor
from builder.sources.oci.reference import locate_repository

PLAIN = "oci+http://"
"""What addresses of registries without TLS begin with; those of this machine need not."""


class OciTarget:
    """Files in the repository `oci://HOST[:PORT]/PATH`, which should hold nothing else.

    Logins are those of `docker login` and `podman login`. Registries know no conditions, so writers exclude
    one another by claims; for these, as for pruning, the registry has to allow deletion.
    """

    def __init__(
        self, address: str, *, http: Http | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        scheme, _, name = address.partition("://")
        try:
            endpoint = locate_repository(name.rstrip("/"), insecure=True if scheme == "oci+http" else None)
        except ResolveError as error:
            raise UsageError(error.message, where=address, fix="write oci://HOST[:PORT]/PATH") from None
        self._scheme = scheme
        self._repository = Repository(endpoint, http=http, environment=environment)
        self._has_empty = False

    @property
    def place(self) -> str:
        """The address."""
        return f"{self._scheme}://{self._repository.place}"

    @property
    def images_url(self) -> str:
        """Where everybody downloads what has the digest `{sha256}`."""
        return f"{self._repository.url}/blobs/sha256:{DIGEST}"

    def capabilities(self) -> Capabilities:
        """Conditions hold, through claims."""
        return Capabilities(conditional=True)

    def stat(self, path: str) -> Info | None:
        """The digest of the manifest is the tag."""
        found = self._read(path)
        if found is None:
            return None
        digest, artifact = found
        return Info(size=artifact.blob.size, modified=artifact.created, tag=digest)

    def get(self, path: str) -> bytes:
        """In one request where it is small."""
        return b"".join(self.chunks(path))

    def chunks(self, path: str) -> Iterator[bytes]:
        """Verified, and resumed where the connection breaks."""
        found = self._read(path)
        if found is None:
            raise MissingError("is not there", where=f"{self.place}/{path}")
        artifact = found[1]
        yield from self._repository.blob(artifact.blob) if artifact.data is None else (artifact.data,)

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """A blob that the repository has is not sent again."""
        blob = Descriptor(
            digest=sha256_file(source), size=source.stat().st_size, media_type="application/octet-stream"
        )
        with source.open("rb") as file:

            def read(start: int, size: int) -> bytes:
                return os.pread(file.fileno(), size, start)

            push_blob(self._repository, blob, read, count)
        self._put_artifact(path, blob, None)

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """With a condition, while nobody else has a claim."""
        if if_match or if_absent:
            put_claimed(self, path, data, if_match)
            return
        blob = describe_bytes(data)
        self._push(blob, data)
        self._put_artifact(path, blob, keep_small(data))

    def list(self, prefix: str) -> tuple[str, ...]:
        """From the list of tags."""
        paths = (self._path(tag, prefix) for tag in self._repository.tags())
        return tuple(sorted(path for path in paths if path and (is_claim(prefix) or not is_claim(path))))

    def delete(self, path: str) -> None:
        """By digest, as all registries do; the blob stays until the registry collects its garbage."""
        found = self._repository.manifest(tag_of(path))
        if found is not None:
            self._repository.delete_manifest(tag_of(path), *found)

    def lock(self, path: str) -> AbstractContextManager[None]:
        """A file, written while nobody else has a claim."""
        return locked(self, path)

    def _read(self, path: str) -> tuple[str, Artifact] | None:
        """Digest and content of the manifest of `path`."""
        found = self._repository.manifest(tag_of(path))
        if found is None:
            return None
        with publish_errors():
            return found[0], parse_artifact(found[1], f"{self.place}/{path}")

    def _put_artifact(self, path: str, blob: Descriptor, data: bytes | None) -> None:
        """Let the tag of `path` stand for `blob`, which is there."""
        if not self._has_empty:
            self._push(describe_bytes(EMPTY), EMPTY)
            self._has_empty = True
        artifact = Artifact(path=path, blob=blob, created=self._repository.now(), data=data)
        self._repository.put_manifest(tag_of(path), encode_artifact(artifact))

    def _push(self, blob: Descriptor, data: bytes) -> None:
        push_blob(self._repository, blob, lambda start, size: data[start : start + size], lambda _: None)

    def _path(self, tag: str, prefix: str) -> str:
        """The path of `tag` if it is below `prefix`, else ""."""
        path = path_of(tag)
        if is_shortened(tag) and may_be_below(tag, prefix):
            found = self._repository.manifest(tag)
            with publish_errors():
                path = parse_artifact(found[1], f"{self.place}:{tag}").path if found else ""
        return path if path.startswith(prefix) else ""
