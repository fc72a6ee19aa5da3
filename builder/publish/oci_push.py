"""Brings blobs into a registry, in pieces that a proxy lets through, each sent again if it got lost.

Source: OCI distribution specification, "Pushing blobs". Registries that do not know any more how far an
upload got (distribution 2.8 after a lost answer) make it begin anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urljoin

from builder.core.errors import PublishError
from builder.core.http import Answer
from builder.publish.oci_repository import Repository
from builder.publish.target import Count
from builder.sources.oci.manifest import Descriptor

Read = Callable[[int, int], bytes]
"""Content by its first byte and its length."""

_PIECE = 8 << 20
_ATTEMPTS = 3
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


def push_blob(repository: Repository, blob: Descriptor, read: Read, count: Count) -> None:
    """Have `blob` in the repository; what it has is not sent again. Raises PublishError."""
    if has_blob(repository, blob):
        count(blob.size)
        return
    for _ in range(_ATTEMPTS):
        if _Upload(repository, blob, read, count).run():
            return
    raise PublishError(
        f"the registry lost the upload {_ATTEMPTS} times",
        where=f"{repository.place}@sha256:{blob.digest}",
        fix="look into the registry's log, and at the proxy before it",
    )


def has_blob(repository: Repository, blob: Descriptor) -> bool:
    """Whether the repository has `blob`."""
    path = f"/blobs/sha256:{blob.digest}"
    answer = repository.send("HEAD", path)
    if answer.status != 404:
        repository.require(answer, path, 200)
    return answer.status == 200


class _Upload:
    """One upload session."""

    def __init__(self, repository: Repository, blob: Descriptor, read: Read, count: Count) -> None:
        self._repository, self._blob, self._read, self._count = repository, blob, read, count
        self._done = 0

    def run(self) -> bool:
        """Whether the blob is there; False if the registry forgot the session."""
        answer = self._repository.send("POST", "/blobs/uploads/", body=lambda: b"")
        self._repository.require(answer, "/blobs/uploads/", 202)
        self._place = _next_place(answer)
        piece = max(_PIECE, _read_number(answer.headers.get("oci-chunk-min-length", "")))
        if self._blob.size > piece:
            while self._done < self._blob.size:
                if not self._send_piece(self._read(self._done, min(piece, self._blob.size - self._done))):
                    return self._give_up()
        return self._finish(self._read(self._done, self._blob.size - self._done))

    def _send_piece(self, data: bytes) -> bool:
        """Whether the upload got further; where it stands if it did not arrive whole, the registry knows."""
        end = self._done + len(data)
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{self._done}-{end - 1}"}
        answer = self._repository.send("PATCH", self._place, headers=headers, body=lambda: data)
        if answer.status in (404, 416):
            answer = self._repository.send("GET", self._place)
            if answer.status == 404:
                return False
            self._repository.require(answer, self._place, 200, 204)
            end = _read_end(answer)
            if end <= self._done:
                return False
        else:
            self._repository.require(answer, self._place, 202, 204)
        self._count(end - self._done)
        self._done, self._place = end, _next_place(answer)
        return True

    def _finish(self, rest: bytes) -> bool:
        mark = "&" if "?" in self._place else "?"
        url = f"{self._place}{mark}digest=sha256:{self._blob.digest}"
        headers = {"Content-Type": "application/octet-stream"}
        answer = self._repository.send("PUT", url, headers=headers, body=lambda: rest)
        if answer.status in (404, 416):  # what was sent twice is refused the second time
            return has_blob(self._repository, self._blob) or self._give_up()
        self._repository.require(answer, self._place, 201, 204)
        self._compare(answer.headers.get("docker-content-digest", ""))
        if rest:
            self._count(len(rest))
        return True

    def _compare(self, digest: str) -> None:
        if digest.startswith("sha256:") and digest != f"sha256:{self._blob.digest}":
            raise PublishError(
                f"the registry stored {digest}, sent was sha256:{self._blob.digest}",
                where=self._repository.place,
                fix="a proxy altered it on the way: try again, or go around it",
            )

    def _give_up(self) -> bool:
        self._count(-self._done)
        return False


def _next_place(answer: Answer) -> str:
    """Where to go on: what the registry calls it may be relative."""
    return urljoin(answer.url, answer.headers.get("location", ""))


def _read_end(answer: Answer) -> int:
    """How many bytes have arrived; a Range of 0-0 is none where an upload has just begun."""
    found = _RANGE.fullmatch(answer.headers.get("range", ""))
    last = int(found[1]) if found else 0
    return last + 1 if last else 0


def _read_number(text: str) -> int:
    return int(text) if text.isdigit() else 0
