"""A catalog on a Windows share that is not mounted.

smbprotocol speaks SMB 2 and 3; it has to be installed (`pip install 'wslimg[smb]'`).
"""

from __future__ import annotations

import errno
import ntpath
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import smbclient
from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBConnectionClosed, SMBException, SMBOSError, SMBResponseException

from builder.core.errors import PublishError
from builder.publish.claims import is_claim, locked, put_claimed
from builder.publish.counted import CountedFile
from builder.publish.smb_address import Share
from builder.publish.smb_errors import (
    ACCESS_DENIED,
    DELETE_PENDING,
    NAME_COLLISION,
    NO_SHARE,
    SHARING_VIOLATION,
    explain,
    unreachable,
)
from builder.publish.target import Capabilities, ConflictError, Count, Info, MissingError

T = TypeVar("T")

_PIECE = 1 << 20
_PATIENCE = (0.05, 0.1, 0.2, 0.4, *(0.8,) * 12)
"""Seconds between attempts while a reader keeps a file from being replaced."""
_TIMEOUT = 20
_CLOSED = frozenset({errno.EBADF, errno.ENOTCONN, errno.ESHUTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH})
"""What sending says on a socket that smbprotocol's other thread has just closed, or without a network."""
_PART = ".part"
_ABANDONED = 86400.0


class SmbTarget:
    """Files below a folder of `share`. New ones appear by rename, complete.

    Renaming onto a file that is there is refused where that is asked for, so one of many creates a file; for
    other conditions writers exclude one another by claims.
    """

    def __init__(self, share: Share) -> None:
        self._share = share
        self._connections: dict[str, Any] = {}

    @property
    def place(self) -> str:
        """The address without login."""
        return self._share.place

    def capabilities(self) -> Capabilities:
        """Conditions hold."""
        return Capabilities(conditional=True)

    def stat(self, path: str) -> Info | None:
        """Number, time and size of the file make the tag."""
        try:
            found = self._act(path, lambda place: smbclient.stat(place, **self._login))
        except MissingError:
            return None
        tag = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
        return Info(size=found.st_size, modified=found.st_mtime, tag=tag)

    def get(self, path: str) -> bytes:
        """As the protocol says."""
        return self._act(path, self._read)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Pieces of 1 MiB."""
        file = self._act(path, self._open)
        try:
            while chunk := self._act(path, lambda _: file.read(_PIECE)):
                yield chunk
        finally:
            with suppress(SMBException, OSError):  # of a server that has gone
                file.close()

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """Written beside its place, then renamed."""
        with CountedFile(source, count) as file:
            self._put(path, lambda: iter(partial(file.rewind().read, _PIECE), b""), replace=True)

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """With a tag, while nobody else has a claim."""
        if if_match:
            put_claimed(self, path, data, if_match)
        else:
            self._put(path, lambda: iter((data,)), replace=not if_absent)

    def list(self, prefix: str) -> tuple[str, ...]:
        """Without hidden files and claims."""
        try:
            return self._act(prefix, lambda place: tuple(sorted(self._walk(place, prefix))))
        except MissingError:
            return ()

    def delete(self, path: str) -> None:
        """Folders stay."""
        with suppress(MissingError):
            self._act(path, lambda place: smbclient.remove(place, **self._login))

    def lock(self, path: str) -> AbstractContextManager[None]:
        """A file, written while nobody else has a claim."""
        return locked(self, path)

    def _put(self, path: str, pieces: Callable[[], Iterator[bytes]], *, replace: bool) -> None:
        folder, _, name = path.rpartition("/")
        part = f"{folder}{'/' * bool(folder)}.{name}.{secrets.token_hex(4)}{_PART}"
        try:
            self._write(part, pieces)
            self._rename(part, path, replace=replace)
        except BaseException:
            with suppress(PublishError):
                self.delete(part)
            raise

    def _write(self, part: str, pieces: Callable[[], Iterator[bytes]]) -> None:
        """Write the new file `part`; `pieces` is asked at each attempt. A missing folder is made."""

        def write(place: str) -> None:
            with smbclient.open_file(place, "wb", **self._login) as file:
                for piece in pieces():
                    file.write(piece)

        try:
            self._act(part, write)
        except MissingError:
            folder = part.rpartition("/")[0]
            self._act(folder, lambda place: smbclient.makedirs(place, exist_ok=True, **self._login))
            self._act(part, write)

    def _rename(self, part: str, path: str, *, replace: bool) -> None:
        """Give `part` its name. A server may deny that while somebody reads what is, or just was, there."""
        move = smbclient.replace if replace else smbclient.rename
        source, passing = self._share.locate(part), (SHARING_VIOLATION, ACCESS_DENIED, DELETE_PENDING)
        try:
            self._act(path, lambda place: move(source, place, **self._login), passing=passing)
        except FileExistsError:
            raise ConflictError(
                "was written by somebody else meanwhile", where=f"{self.place}/{path}"
            ) from None

    def _open(self, place: str) -> Any:
        return smbclient.open_file(place, "rb", share_access="rwd", **self._login)

    def _read(self, place: str) -> bytes:
        with self._open(place) as file:
            return bytes(file.read())

    def _walk(self, place: str, prefix: str) -> Iterator[str]:
        for entry in smbclient.scandir(place, **self._login):
            path = prefix + entry.name
            if entry.is_dir():
                yield from self._walk(ntpath.join(place, entry.name), f"{path}/")
            elif entry.name.startswith("."):
                self._remove_abandoned(entry)
            elif is_claim(prefix) or not is_claim(path):
                yield path

    def _remove_abandoned(self, entry: Any) -> None:
        """Delete what a writer that was killed a day ago left."""
        age = time.time() - entry.smb_info.last_write_time.timestamp()
        if entry.name.endswith(_PART) and age > _ABANDONED:
            with suppress(SMBException):
                smbclient.remove(entry.path, **self._login)

    @property
    def _login(self) -> Mapping[str, Any]:
        share = self._share
        return {
            "username": share.user or None,
            "password": share.password or None,
            "port": share.port,
            "connection_cache": self._connections,
        }

    def _act(
        self, path: str, action: Callable[[str], T], *, passing: tuple[int, ...] = (SHARING_VIOLATION,)
    ) -> T:
        """Do `action` with the file `path`, patiently; what the server refuses becomes one clear error."""
        for pause in (*_PATIENCE, None):
            try:
                self._connect()
                return action(self._share.locate(path))
            except (SMBConnectionClosed, ConnectionError, TimeoutError) as error:
                raise unreachable(str(error), self.place) from None
            except SMBException as error:
                status = _status(error)
                if status == NAME_COLLISION:
                    raise FileExistsError from None
                if pause is not None and status in passing:
                    time.sleep(pause * (0.5 + secrets.randbelow(1000) / 1000))
                    continue
                kept = status == DELETE_PENDING and status in passing
                reason = SHARING_VIOLATION if kept else status
                raise explain(reason, str(error), f"{self.place}/{path}") from None
            except OSError as error:
                if error.errno not in _CLOSED:  # of the file here that is sent
                    raise
                raise unreachable(str(error), self.place) from None
        raise AssertionError("the last pause is None")

    def _connect(self) -> None:
        """Log in, unless that is done. Several connections that call themselves the same, as smbclient's do,
        are one to Samba (MS-SMB2, 3.3.5.9: multichannel), which may then not answer some of them."""
        host, port = self._share.host, self._share.port
        try:
            if not self._connections:
                connection = Connection(uuid.uuid4(), host, port)
                connection.connect(timeout=_TIMEOUT)
                self._connections[f"{host.lower()}:{port}"] = connection
            smbclient.register_session(host, connection_timeout=_TIMEOUT, **self._login)
        except (ValueError, OSError) as error:
            if isinstance(error, SMBException):
                raise
            raise unreachable(str(error), self.place) from None


def _status(error: SMBException) -> int:
    """The NTSTATUS of `error`, which it or what caused it carries; 0 if nothing does. A share that is not
    there is looked for in DFS, too, which then finds no path."""
    found: list[int] = []
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SMBOSError):
            found.append(cause.ntstatus)
        elif isinstance(cause, SMBResponseException):
            found.append(cause.status)
        cause = cause.__cause__ or cause.__context__
    return NO_SHARE if NO_SHARE in found else next(iter(found), 0)
