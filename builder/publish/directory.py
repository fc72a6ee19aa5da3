"""A catalog in a folder: a disk, or a share that is mounted (SMB, NFS, DFS). Needs nothing but the folder."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from builder.core.errors import PublishError
from builder.core.files import atomic_file
from builder.publish.target import BusyError, Capabilities, ConflictError, Count, Info, MissingError

T = TypeVar("T")

_CHUNK = 1 << 20
_STALE = 900.0
_GUARD = ".guard"
_PATIENCE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between attempts while a reader on Windows keeps a file of a share from being replaced."""
_FIXES = {
    errno.EACCES: "ask for the right to write there",
    errno.EPERM: "ask for the right to write there",
    errno.EROFS: "mount it writable",
    errno.ENOSPC: "make room, or `wslimg catalog prune` what nobody needs",
    errno.EDQUOT: "make room, or `wslimg catalog prune` what nobody needs",
    errno.ENOTCONN: "mount the share again",
    errno.EHOSTDOWN: "check the network and mount the share again",
    errno.ESTALE: "mount the share again",
}


class DirectoryTarget:
    """Files below `folder`, which has to exist. New ones appear by rename, complete and on the disk.

    A write with a condition is exclusive through a guard file, since that works on shares, where file locks
    often do not. A guard or lock older than 15 minutes was left by a process that died.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    def capabilities(self) -> Capabilities:
        """Conditions hold."""
        return Capabilities(conditional=True)

    def stat(self, path: str) -> Info | None:
        """Inode, time and size make the tag."""
        try:
            return _describe(self._act(path, lambda place: place.stat()))
        except MissingError:
            return None

    def get(self, path: str) -> bytes:
        """As the protocol says."""
        return self._act(path, _read)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Pieces of 1 MiB."""
        with self._act(path, lambda place: place.open("rb")) as file:
            while chunk := self._act(path, lambda _: file.read(_CHUNK)):
                yield chunk

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """Copied beside its place, then renamed."""

        def write(place: Path) -> None:
            with source.open("rb") as content, _durable(place) as file:
                while chunk := content.read(_CHUNK):
                    file.write(chunk)
                    count(len(chunk))

        self._act(path, write)

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """With a condition, others wait for the moment of it."""
        if not if_match and not if_absent:
            self._act(path, lambda place: _replace(place, data))
            return
        with self._guard(path):
            found = self.stat(path)
            if (found.tag if found else "") != if_match:
                raise ConflictError("was written by somebody else meanwhile", where=f"{self.place}/{path}")
            self._act(path, lambda place: _replace(place, data))

    def list(self, prefix: str) -> tuple[str, ...]:
        """Hidden and guard files are left out."""

        try:
            return self._act(prefix, lambda place: tuple(sorted(_walk(place, prefix))))
        except MissingError:
            return ()

    def delete(self, path: str) -> None:
        """Folders stay."""
        self._act(path, lambda place: place.unlink(missing_ok=True))

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """Exclusive creation of the file `path`."""
        mine = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(8)}\n".encode("ascii", "replace")
        self._act(path, lambda place: _take(place, mine))
        try:
            yield
        finally:
            self._act(path, lambda place: _release(place, mine))

    @contextmanager
    def _guard(self, path: str) -> Iterator[None]:
        """Exclude other writers of `path` for the moment of a comparison and a rename."""
        name = f"{path}{_GUARD}"
        for pause in (*_PATIENCE * 4, None):
            try:
                with self.lock(name):
                    yield
                    return
            except BusyError:
                if pause is None:
                    raise
                time.sleep(pause * (0.5 + secrets.randbelow(1000) / 1000))

    def _act(self, path: str, action: Callable[[Path], T]) -> T:
        """Do `action` with the file `path`; what the system refuses becomes one clear error. A folder that
        is gone altogether is one too, and no empty catalog."""
        try:
            if not self._folder.is_dir():
                raise PublishError(
                    "there is no such folder", where=self.place, fix="make it, or mount the share it is on"
                )
            return action(self._folder / path)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError("is not there", where=f"{self.place}/{path}") from None
        except OSError as error:
            fix = _FIXES.get(error.errno or 0, "check the disk or the share")
            raise PublishError(f"{error.strerror}", where=f"{self.place}/{path}", fix=fix) from error


def _describe(status: os.stat_result) -> Info:
    tag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
    return Info(size=status.st_size, modified=status.st_mtime, tag=tag)


@contextmanager
def _durable(place: Path) -> Iterator[BinaryIO]:
    """A new file that has its name only after its content is on the disk."""
    with atomic_file(place) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _replace(place: Path, data: bytes) -> None:
    for pause in (*_PATIENCE, None):
        try:
            with _durable(place) as file:
                file.write(data)
            return
        except PermissionError:
            if pause is None or not os.access(place.parent, os.W_OK | os.X_OK):
                raise
            time.sleep(pause)


def _walk(place: Path, prefix: str) -> Iterator[str]:
    """The files below `place`. Raises OSError for a folder that cannot be read: it may be full of files."""
    for folder, _, names in os.walk(place, onerror=_fail):
        below = Path(folder).relative_to(place).as_posix()
        start = prefix if below == "." else f"{prefix}{below}/"
        yield from (start + name for name in names if not name.startswith(".") and not name.endswith(_GUARD))


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _read(place: Path) -> bytes:
    """The content of `place`. NFS calls a file stale that another machine removed or replaced after it was
    opened: opened again, it is missing or the new one."""
    try:
        return place.read_bytes()
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
    return place.read_bytes()


def _take(place: Path, mine: bytes) -> None:
    """Create `place`, or raise BusyError. Exclusive creation is the one thing that all shares have."""
    place.parent.mkdir(parents=True, exist_ok=True)
    _break_stale(place)
    try:
        with place.open("xb") as file:
            file.write(mine)
    except FileExistsError:
        owner = _read_owner(place).decode("ascii", "replace").split()
        who = f"process {owner[1]} on {owner[0]}" if len(owner) == 3 else "somebody"
        raise BusyError(
            f"{who} is changing it", where=str(place), fix="try again when that is done"
        ) from None


def _release(place: Path, mine: bytes) -> None:
    """Remove `place` unless somebody thought its owner dead and took it."""
    if _read_owner(place) == mine:
        place.unlink(missing_ok=True)


def _read_owner(place: Path) -> bytes:
    """What the lock file holds; nothing where its owner has just removed it."""
    try:
        return _read(place)
    except FileNotFoundError:
        return b""


def _break_stale(place: Path) -> None:
    """Take away a lock whose owner must be dead. Of several who find it stale, one renames it."""
    try:
        if _age(place, time.time()) <= _STALE or _age(place, _read_clock(place)) <= _STALE:
            return
        aside = place.with_name(f".{place.name}.{secrets.token_hex(4)}.stale")
        place.rename(aside)
        if _age(aside, _read_clock(place)) <= _STALE:  # somebody was quicker, and this is the new owner's
            aside.rename(place)
        aside.unlink(missing_ok=True)
    except FileNotFoundError:
        return


def _age(place: Path, now: float) -> float:
    return now - place.stat().st_mtime


def _read_clock(place: Path) -> float:
    """The time by the clock of the share that `place` is on, as a new file has it: that of this machine may
    be wrong."""
    probe = place.with_name(f".{place.name}.{secrets.token_hex(4)}.now")
    probe.touch(exist_ok=False)
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()
