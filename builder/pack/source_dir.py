"""The entries of a plain directory, each directory read through its descriptor and sorted."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from builder.core.errors import PackError
from builder.model.entry import Entry, Identity, Kind
from builder.pack.fill import changed
from builder.tar.header import printable

_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHAR,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_RACY = 2_000_000_000
"""A file that changed so shortly before it was seen, in nanoseconds, may change again with the same times."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scan:
    """What stays the same all over the tree; `links` holds the first name of each inode with several."""

    root: bytes
    trust_mtime: bool
    started: int
    links: dict[tuple[int, int], bytes] = field(default_factory=dict)


def read_directory(root: Path, *, trust_mtime: bool = False) -> Iterator[Entry]:
    """The tree below `root`, sorted, `root` itself not among it; sockets are left out.

    Content has no identity, so that it is read every time. With `trust_mtime` a file that keeps inode,
    size, mtime and ctime is taken as unchanged, unless it changed within two seconds before the scan.
    Raises PackError for what cannot be read, or for a file that changes between being listed and being read.
    """
    scan = _Scan(root=os.fsencode(root.absolute()), trust_mtime=trust_mtime, started=time.time_ns())
    with _read_errors(b""):
        folder = os.open(scan.root, _FOLDER)
    try:
        yield from _walk(scan, folder, b"")
    finally:
        os.close(folder)


def _walk(scan: _Scan, folder: int, prefix: bytes) -> Iterator[Entry]:
    for name, status in _list(folder, prefix):
        path = prefix + name
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            continue
        yield _entry(scan, folder, name, path, kind, status)
        if kind is Kind.DIRECTORY:
            with _read_errors(path):
                below = os.open(name, _FOLDER, dir_fd=folder)
            try:
                yield from _walk(scan, below, path + b"/")
            finally:
                os.close(below)


def _list(folder: int, prefix: bytes) -> list[tuple[bytes, os.stat_result]]:
    with _read_errors(prefix), os.scandir(folder) as items:
        found = [(os.fsencode(item.name), item.stat(follow_symlinks=False)) for item in items]
    return sorted(found, key=itemgetter(0))


def _entry(scan: _Scan, folder: int, name: bytes, path: bytes, kind: Kind, status: os.stat_result) -> Entry:
    entry = Entry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=status.st_mtime_ns // 1_000_000_000,
    )
    if status.st_nlink > 1 and kind is not Kind.DIRECTORY:
        first = scan.links.setdefault((status.st_dev, status.st_ino), path)
        if first != path:
            return entry._replace(kind=Kind.HARDLINK, target=first)
    with _read_errors(path):
        entry = entry._replace(xattrs=_read_xattrs(scan.root + b"/" + path))
        if kind is Kind.SYMLINK:
            return entry._replace(mode=0o777, target=os.readlink(name, dir_fd=folder))
    if kind in (Kind.CHAR, Kind.BLOCK):
        return entry._replace(device=(os.major(status.st_rdev), os.minor(status.st_rdev)))
    return _with_content(scan, entry, status) if kind is Kind.FILE and status.st_size else entry


def _with_content(scan: _Scan, entry: Entry, status: os.stat_result) -> Entry:
    entry = entry._replace(size=status.st_size)
    return entry._replace(
        open=_opener(scan.root + b"/" + entry.path, entry, _state(status)),
        identity=_identity(scan, entry.path, status) if scan.trust_mtime else None,
    )


def _opener(path: bytes, entry: Entry, state: tuple[int, ...]) -> Callable[[], int]:
    def open_unchanged() -> int:
        file = os.open(path, _FILE)
        if _state(os.fstat(file)) != state:
            os.close(file)
            raise changed(entry)
        return file

    return open_unchanged


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _identity(scan: _Scan, path: bytes, status: os.stat_result) -> Identity | None:
    """The device is no part of it: its number differs from boot to boot."""
    if max(status.st_mtime_ns, status.st_ctime_ns) > scan.started - _RACY:
        return None
    return Identity(layer="directory:" + ",".join(map(str, _state(status))), path=scan.root + b"/" + path)


def _read_xattrs(path: bytes) -> tuple[tuple[bytes, bytes], ...]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise
    values = ((os.fsencode(name), os.getxattr(path, name, follow_symlinks=False)) for name in names)
    return tuple(sorted(values)) if names else ()


@contextmanager
def _read_errors(path: bytes) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PackError(
            f"cannot be read: {error.strerror}",
            where=printable(path.rstrip(b"/")),
            fix="stop whatever changes the folder; for a folder of root's files run as root",
        ) from error
