"""What all web servers have in common that files can be written to: PUT, GET, HEAD and DELETE."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from builder.core.digests import sha256_bytes, sha256_file
from builder.core.http import Answer
from builder.publish.claims import is_claim, locked, put_claimed
from builder.publish.counted import CountedFile
from builder.publish.target import Capabilities, Count, Info, MissingError
from builder.publish.web_connection import Body, Connection, as_body, read_date

_SMALL = 1 << 16


class WebFiles(ABC):
    """A target over a `Connection`, but for listing.

    Who writes under a condition excludes others by claims: many servers do not know conditions (RFC 9110,
    13), and Apache, which does, lets two through that come at once.
    """

    checksum_header = ""
    """In which header the server wants the SHA-256 of what is sent, if in any."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def place(self) -> str:
        """The address without login."""
        return self.connection.place

    def capabilities(self) -> Capabilities:
        """Conditions hold, through claims."""
        return Capabilities(conditional=True)

    def stat(self, path: str) -> Info | None:
        """The tag is the ETag and, of small files, the digest: nginx's ETag is the second and the size, and
        Apache's is marked as weak for a second."""
        answer = self.connection.look(path)
        if answer.status in (404, 410):
            return None
        self.connection.require(answer, 200)
        size = int(answer.headers.get("content-length", 0))
        try:
            digest = sha256_bytes(self.get(path)) if size <= _SMALL else ""
        except MissingError:
            return None
        tag = f"{answer.headers.get('etag', '').removeprefix('W/')} {digest}"
        return Info(size=size, modified=read_date(answer.headers.get("last-modified", "")), tag=tag)

    def get(self, path: str) -> bytes:
        """In one piece; lists and entries are small."""
        return b"".join(self.chunks(path))

    def chunks(self, path: str) -> Iterator[bytes]:
        """Resumed where the connection breaks."""
        return self.connection.chunks(path)

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """In one request, sent again as a whole if need be."""
        checksum = {self.checksum_header: sha256_file(source)} if self.checksum_header else {}
        with CountedFile(source, count) as file:
            self.put(path, file.rewind, checksum)

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """With a condition, while nobody else has a claim."""
        if if_match or if_absent:
            put_claimed(self, path, data, if_match)
        else:
            self._put(path, data)

    def list(self, prefix: str) -> tuple[str, ...]:
        """Sorted, and without claims unless it is they that are asked for."""
        return tuple(sorted(path for path in self.find(prefix) if is_claim(prefix) or not is_claim(path)))

    @abstractmethod
    def find(self, prefix: str) -> Iterable[str]:
        """The paths of all files below the folder `prefix`, in any order."""

    def delete(self, path: str) -> None:
        """Folders stay."""
        self.connection.require(self.connection.send("DELETE", path), 200, 202, 204, 404, 410)

    def lock(self, path: str) -> AbstractContextManager[None]:
        """A file, written while nobody else has a claim."""
        return locked(self, path)

    def put(self, path: str, body: Body, headers: Mapping[str, str]) -> None:
        """Store `body` as `path`."""
        answer = self.send_file(path, body, {"Content-Type": "application/octet-stream", **headers})
        self.connection.require(answer, 200, 201, 204)

    def send_file(self, path: str, body: Body, headers: Mapping[str, str]) -> Answer:
        """The request of `put`."""
        return self.connection.send("PUT", path, headers, body)

    def _put(self, path: str, data: bytes) -> None:
        checksum = {self.checksum_header: sha256_bytes(data)} if self.checksum_header else {}
        self.put(path, as_body(data), checksum)
