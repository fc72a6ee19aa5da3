"""A catalog on a web server that takes PUT and DELETE: WebDAV (nginx, Apache, IIS), or what works alike."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

from builder.core.digests import sha256_bytes
from builder.core.errors import PublishError, ResolveError
from builder.core.http import Answer, Http, NotFoundError, without_login
from builder.publish.counted import CountedFile
from builder.publish.listing import parse_autoindex, parse_multistatus
from builder.publish.target import BusyError, Capabilities, ConflictError, Count, Info, MissingError

_FIXES = {
    401: "log in: $WSLIMG_TOKEN, ~/.netrc, or USER:PASSWORD@ in the address",
    403: "ask for the right to write there",
    405: "let the server take PUT, DELETE, MKCOL and PROPFIND there",
    413: "let the server take files of that size (nginx: client_max_body_size)",
    507: "make room, or `wslimg catalog prune` what nobody needs",
}
_GUARD = ".guard"
_ATTEMPTS = 60
_SMALL = 1 << 16
_NETWORK = "check the address and the network; nothing that was published has changed"
Reader = Callable[[bytes, str], Iterator[tuple[str, bool]]]


class WebTarget:
    """Files below the address `url`. Folders are made where the server wants them made.

    Whether the server honours conditions is tried once (nginx ignores them). Where it does not, MKCOL, which
    is atomic (RFC 4918, 9.3), makes a guard for the moment of a comparison.
    """

    def __init__(self, url: str, *, token: str = "", http: Http | None = None) -> None:
        self._base = url.rstrip("/")
        self._http = http or Http()
        self._authorization = f"Bearer {token}" if token else ""

    @property
    def place(self) -> str:
        """The address without login."""
        return without_login(self._base)

    def capabilities(self) -> Capabilities:
        """Conditions hold, through guards if need be."""
        return Capabilities(conditional=True)

    def stat(self, path: str) -> Info | None:
        """The tag is the ETag and, of small files, the digest: nginx's ETag is the second and the size."""
        answer = self._send("HEAD", path)
        if answer.status in (404, 410):
            return None
        self._require(answer, path, 200)
        size = int(answer.headers.get("content-length", 0))
        try:
            digest = sha256_bytes(self.get(path)) if size <= _SMALL else ""
        except MissingError:
            return None
        return Info(
            size=size,
            modified=_read_date(answer.headers.get("last-modified", "")),
            tag=f"{answer.headers.get('etag', '')} {digest}",
        )

    def get(self, path: str) -> bytes:
        """In one piece; lists and entries are small."""
        return b"".join(self.chunks(path))

    def chunks(self, path: str) -> Iterator[bytes]:
        """Resumed where the connection breaks."""
        try:
            yield from self._http.chunks(self._address(path), authorization=self._authorization)
        except NotFoundError:
            raise MissingError("is not there", where=f"{self.place}/{path}") from None
        except ResolveError as error:
            raise PublishError(error.message, where=error.where, fix=_NETWORK) from None

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """In one request."""
        with CountedFile(source, count) as file:
            self._put(path, file.rewind, {})

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """With a condition of HTTP (RFC 9110, 13), or under a guard."""
        if not if_match and not if_absent:
            self._put(path, lambda: data, {})
        elif self._honours_conditions:
            condition = {"If-Match": if_match.rpartition(" ")[0]} if if_match else {"If-None-Match": "*"}
            self._put(path, lambda: data, condition)
        else:
            with self._guard(path):
                found = self.stat(path)
                if (found.tag if found else "") != if_match:
                    raise _conflict(self.place, path)
                self._put(path, lambda: data, {})

    def list(self, prefix: str) -> tuple[str, ...]:
        """Folder by folder: servers refuse to list all below."""
        found: list[str] = []
        folders = [prefix]
        while folders:
            for path, is_folder in self._list_folder(folders.pop()):
                if is_folder:
                    folders.append(path)
                elif not path.endswith(_GUARD):
                    found.append(path)
        return tuple(sorted(found))

    def delete(self, path: str) -> None:
        """Folders stay."""
        self._require(self._send("DELETE", path), path, 200, 202, 204, 404, 410)

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """A file that only one can create. One that a killed process left has to be deleted by hand."""
        try:
            self.put_bytes(path, secrets.token_hex(8).encode(), if_absent=True)
        except ConflictError:
            raise BusyError(
                "somebody holds the lock",
                where=f"{self.place}/{path}",
                fix="try again when that is done; delete that file if its owner is dead",
            ) from None
        try:
            yield
        finally:
            self.delete(path)

    @cached_property
    def _honours_conditions(self) -> bool:
        """Whether a file that must not exist is refused when it does."""
        path = f"probe-{secrets.token_hex(8)}"
        self._put(path, lambda: b"1", {})
        try:
            answer = self._send("PUT", path, {"If-None-Match": "*"}, lambda: b"2")
            return answer.status in (409, 412)
        finally:
            self.delete(path)

    @contextmanager
    def _guard(self, path: str) -> Iterator[None]:
        folder = f"{path}{_GUARD}/"
        self._make_parents(path)
        for attempt in range(_ATTEMPTS):
            if (answer := self._send("MKCOL", folder)).status == 201:
                break
            self._require(answer, folder, 405, 409)
            time.sleep(0.02 * (1 + attempt) * secrets.randbelow(100) / 50)
        else:
            raise BusyError(
                "somebody is changing it",
                where=f"{self.place}/{folder}",
                fix="try again; delete that folder if nobody is",
            )
        try:
            yield
        finally:
            with suppress(PublishError):
                self.delete(folder)

    def _put(self, path: str, body: Callable[[], bytes | BinaryIO], condition: Mapping[str, str]) -> None:
        headers = {"Content-Type": "application/octet-stream", **condition}
        answer = self._send("PUT", path, headers, body)
        if answer.status in (404, 409):  # a folder may be missing, and another may be making it
            self._make_parents(path)
            answer = self._send("PUT", path, headers, body)
        if condition and answer.status in (409, 412):
            raise _conflict(self.place, path)
        self._require(answer, path, 200, 201, 204)

    def _make_parents(self, path: str) -> None:
        """Make the folders that `path` is in; those that are there answer 405."""
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self._send("MKCOL", "/".join(parts[:depth]) + "/")

    def _list_folder(self, folder: str) -> Iterator[tuple[str, bool]]:
        """(path, whether it is a folder) of everything in `folder`."""
        answer = self._send("PROPFIND", folder, {"Depth": "1"})
        read: Reader = parse_multistatus
        if answer.status in (405, 501):
            answer, read = self._send("GET", folder, {"Accept": "application/json"}), parse_autoindex
        if answer.status in (404, 410):
            return
        self._require(answer, folder, 200, 207)
        root = unquote(urlsplit(self._base).path)
        try:
            for name, is_folder in read(answer.body, f"{root}/{folder}"):
                yield f"{folder}{name}{'/' if is_folder else ''}", is_folder
        except ValueError as error:
            raise PublishError(
                f"the server's listing cannot be read: {error}",
                where=f"{self.place}/{folder}",
                fix="turn WebDAV on, or in nginx `autoindex on` with `autoindex_format json`",
            ) from None

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], bytes | BinaryIO] | None = None,
    ) -> Answer:
        try:
            return self._http.send(
                method,
                self._address(path),
                headers=headers or {},
                body=body,
                authorization=self._authorization,
            )
        except ResolveError as error:
            raise PublishError(error.message, where=error.where, fix=_NETWORK) from None

    def _require(self, answer: Answer, path: str, *statuses: int) -> None:
        if answer.status not in statuses:
            raise PublishError(
                f"the server answered {answer.status}",
                where=f"{self.place}/{path}",
                fix=_FIXES.get(answer.status, "look into the server's log"),
            )

    def _address(self, path: str) -> str:
        return f"{self._base}/{quote(path, safe='/-._~+')}"


def _conflict(place: str, path: str) -> ConflictError:
    return ConflictError("was written by somebody else meanwhile", where=f"{place}/{path}")


def _read_date(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return 0.0
