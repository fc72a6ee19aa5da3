"""A catalog on a web server with WebDAV (nginx, Apache, IIS), or with PUT, DELETE and a listing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from builder.core.errors import PublishError
from builder.core.http import Answer, Http
from builder.publish.listing import parse_autoindex, parse_multistatus
from builder.publish.target import Count
from builder.publish.web_connection import Body, Connection, as_body
from builder.publish.web_files import WebFiles
from builder.publish.web_login import Login

_PIECE = 32 << 20
_PART = ".part"
Reader = Callable[[bytes, str], Iterator[tuple[str, bool]]]


class WebTarget(WebFiles):
    """Files below the address `url`. Folders are made where the server wants them made.

    A file of more than `piece` bytes is sent in pieces, and goes on where it was cut, if the server takes
    pieces; that is tried once, since others take the first piece for the file (RFC 9110, 14.5). Until it is
    whole it has another name.
    """

    def __init__(
        self, url: str, *, token: str = "", login: Login | None = None, http: Http | None = None,
        piece: int = _PIECE,
    ) -> None:  # fmt: skip
        bearer = Login(authorization=f"Bearer {token}" if token else "")
        super().__init__(Connection(url, login or bearer, http))
        self._piece = piece

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """In one request, or in pieces."""
        if source.stat().st_size > self._piece and self._takes_pieces:
            self._put_pieces(path, source, count)
            self._move(path + _PART, path)
        else:
            super().put_file(path, source, count)

    def send_file(self, path: str, body: Body, headers: Mapping[str, str]) -> Answer:
        """A folder may be missing, and somebody else may be making it."""
        answer = super().send_file(path, body, headers)
        if answer.status in (404, 409):
            self._make_parents(path)
            answer = super().send_file(path, body, headers)
        return answer

    def find(self, prefix: str) -> Iterator[str]:
        """Folder by folder: servers refuse to list all below."""
        folders = [prefix]
        while folders:
            for path, is_folder in self._list_folder(folders.pop()):
                if is_folder:
                    folders.append(path)
                elif not path.endswith(_PART):
                    yield path

    def _put_pieces(self, path: str, source: Path, count: Count) -> None:
        """Send what the unfinished file lacks. That its beginning is right shows when it is read back."""
        size = source.stat().st_size
        found = self.stat(path + _PART)
        begin = found.size if found and found.size <= size else 0
        count(begin)
        with source.open("rb") as file:
            while begin < size:
                data = os.pread(file.fileno(), self._piece, begin)
                place = {"Content-Range": f"bytes {begin}-{begin + len(data) - 1}/{size}"}
                self.put(path + _PART, as_body(data), place)
                begin += len(data)
                count(len(data))

    def _move(self, source: str, path: str) -> None:
        """Rename (RFC 4918, 9.9)."""
        headers = {"Destination": self.connection.address(path), "Overwrite": "T"}
        self.connection.require(self.connection.send("MOVE", source, headers), 201, 204)

    @cached_property
    def _takes_pieces(self) -> bool:
        """Whether two pieces become one file, and it can be renamed."""
        path, moved = f"probe-{secrets.token_hex(8)}", f"probe-{secrets.token_hex(8)}"
        try:
            for begin, data in ((0, b"ab"), (2, b"cd")):
                self.put(path, as_body(data), {"Content-Range": f"bytes {begin}-{begin + 1}/4"})
            self._move(path, moved)
            return self.get(moved) == b"abcd"
        except PublishError:
            return False
        finally:
            self.delete(path)
            self.delete(moved)

    def _make_parents(self, path: str) -> None:
        """Make the folders that `path` is in; those that are there answer 405."""
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self.connection.send("MKCOL", "/".join(parts[:depth]) + "/")

    def _list_folder(self, folder: str) -> Iterator[tuple[str, bool]]:
        """(path, whether it is a folder) of everything in `folder`."""
        answer = self.connection.send("PROPFIND", folder, {"Depth": "1"})
        read: Reader = parse_multistatus
        if answer.status in (405, 501):
            answer = self.connection.send("GET", folder, {"Accept": "application/json"})
            read = parse_autoindex
        if answer.status in (404, 410):
            return
        self.connection.require(answer, 200, 207)
        root = unquote(urlsplit(self.connection.url).path)
        try:
            for name, is_folder in read(answer.body, f"{root}/{folder}"):
                yield f"{folder}{name}{'/' if is_folder else ''}", is_folder
        except ValueError as error:
            raise PublishError(
                f"the server's listing cannot be read: {error}",
                where=f"{self.place}/{folder}",
                fix="turn WebDAV on, or in nginx `autoindex on` with `autoindex_format json`",
            ) from None
