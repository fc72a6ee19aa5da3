"""The entries of a plain directory, each directory read through its descriptor and sorted."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

from builder.core.errors import PackError
from builder.core.events import Note, Sink, discard
from builder.model.entry import Entry, Identity, Kind
from builder.pack.bare import BareFiles, file_system
from builder.pack.content import OpenUnchanged, State, state_of
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
_MOVED = "check the path; if it was there, stop whatever changes the folder, and pack again"
_UNREADABLE = "check permissions and the disk; for a folder of root's files run as root"
_OPEN = 64
"""How many folders are open at once: the innermost. Most systems allow a process 1024 files."""
_NAMES = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_SECOND = 1_000_000_000
_RACY = 2_000_000_000
"""A file that changed so shortly before it was seen, in nanoseconds, may change again with the same times."""


def read_directory(
    root: Path, *, trust_mtime: bool = False, memory: BareFiles | None = None, sink: Sink = discard
) -> Iterator[Entry]:
    """The tree below `root`, which may be a link to it, sorted, `root` itself not among it.

    Sockets are left out, and what is below other file systems that are mounted there: `sink` hears of both.

    Content has no identity, so that it is read every time. With `trust_mtime` a file that keeps inode,
    size, mtime and ctime in the same file system is taken as unchanged, unless it changed within two seconds
    before the scan, or the ctime is not one that a kernel gives; `memory` then saves asking each file for
    extended attributes.
    Raises PackError for what cannot be read, and for a file that changes between being listed and being read.
    """
    walk = _Walk(os.fsencode(root.absolute()), memory if trust_mtime else None, trust_mtime=trust_mtime)
    try:
        yield from walk.entries()
        walk.tell(sink)
        if memory:
            memory.save()
    except OSError as error:
        raise PackError(
            f"cannot be read: {error.strerror}",
            where=printable(walk.at),
            fix=_MOVED if isinstance(error, FileNotFoundError) else _UNREADABLE,
        ) from error


class _Walk:
    """One pass over a tree. `at` is the path that is being looked at, for messages."""

    def __init__(self, root: bytes, memory: BareFiles | None, *, trust_mtime: bool) -> None:
        self.at = b""
        self._root = root + b"/"
        self._layer = ""
        self._device = 0
        self._memory = memory
        self._trust_mtime = trust_mtime
        self._settled = time.time_ns() - _RACY
        self._first_names: dict[tuple[int, int], bytes] = {}
        self._sockets: list[bytes] = []
        self._mounts: list[bytes] = []

    def entries(self) -> Iterator[Entry]:
        """Depth first, with a stack: nested generators would hand each entry through every level."""
        stack = [_Folder(os.open(self._root, _FOLDER), b"")]
        try:
            self._device = os.fstat(stack[0].file).st_dev
            if self._trust_mtime:
                self._layer = f"directory:{file_system(stack[0].file)}:{printable(self._root)}"
            while stack:
                folder = stack[-1]
                for name, status in folder.items:
                    self.at = path = folder.prefix + name
                    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
                    if kind is None:
                        self._sockets.append(path)
                    else:
                        yield self._entry(path, kind, status)
                    if kind is Kind.DIRECTORY and status.st_dev != self._device:
                        self._mounts.append(path)
                    elif kind is Kind.DIRECTORY:
                        _enter(stack, name, path)
                        break
                else:
                    self.at = folder.prefix[:-1]
                    _leave(stack)
        finally:
            for folder in stack:
                folder.close()

    def tell(self, sink: Sink) -> None:
        """Say what of the tree was left out."""
        for path in self._mounts:
            message = f"{printable(path)}: another file system is mounted there, whose content is left out"
            sink(Note(message=message, level="warning"))
        if self._sockets:
            count, first = len(self._sockets), printable(self._sockets[0])
            sink(Note(message=f"sockets are left out, {count} in all, such as {first}"))

    def _entry(self, path: bytes, kind: Kind, status: os.stat_result) -> Entry:
        if status.st_nlink > 1 and kind is not Kind.DIRECTORY:
            first = self._first_names.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                return _plain(path, Kind.HARDLINK, status, first)
        whole = self._root + path
        if kind is Kind.FILE:
            return self._file(path, whole, status)
        entry = _plain(path, kind, status, os.readlink(whole) if kind is Kind.SYMLINK else b"")
        if kind in (Kind.CHAR, Kind.BLOCK):
            entry = entry._replace(device=(os.major(status.st_rdev), os.minor(status.st_rdev)))
        xattrs = self._xattrs(whole, status)
        return entry._replace(xattrs=xattrs) if xattrs else entry

    def _file(self, path: bytes, whole: bytes, status: os.stat_result) -> Entry:
        state = state_of(status)
        size, xattrs = status.st_size, self._xattrs(whole, status)
        opener = OpenUnchanged(whole, state) if size else None
        identity = self._identity(path, state, status.st_dev) if self._trust_mtime else None
        mode, mtime = status.st_mode & 0o7777, status.st_mtime_ns // _SECOND
        owner = status.st_uid, status.st_gid
        return Entry(path, Kind.FILE, mode, *owner, mtime, size, b"", xattrs, (0, 0), opener, identity)

    def _xattrs(self, whole: bytes, status: os.stat_result) -> tuple[tuple[bytes, bytes], ...]:
        if self._memory is None or status.st_dev != self._device:
            return _read_xattrs(whole)
        if self._memory.knows(status):
            return ()
        found = _read_xattrs(whole)
        if not found and self._tells(status.st_ctime_ns):
            self._memory.add(status)
        return found

    def _tells(self, ctime: int) -> bool:
        """Whether `ctime` is gone for good once the file changes. One of whole seconds is hardly a kernel's:
        what makes an image of a file system chooses it, and the same for its next image."""
        return ctime <= self._settled and ctime % _SECOND != 0

    def _identity(self, path: bytes, state: State, device: int) -> Identity | None:
        """None for a file of another file system that is mounted on one here: neither is it told apart by
        what `_layer` says, nor by its device, whose number differs from boot to boot."""
        _, _, mtime, ctime = state
        if device != self._device or mtime > self._settled or not self._tells(ctime):
            return None
        return Identity(self._layer, b"%d,%d,%d,%d/%b" % (*state, path))


class _Folder:
    """An open directory: its descriptor, the path of what is in it up to the name, and that, sorted."""

    __slots__ = ("_at", "file", "items", "prefix")

    def __init__(self, file: int, prefix: bytes) -> None:
        self.file = file
        self.prefix = prefix
        self.items = self._list()
        self._at: os.stat_result | None = None

    def suspend(self) -> None:
        """Close it for a while. Its items stay."""
        if self.file >= 0:
            self._at = os.fstat(self.file)
            self.close()

    def resume(self, inner: _Folder) -> None:
        """Have it open, if need be as what `inner` lies in. Raises OSError, also if that is another one."""
        if self.file < 0 and self._at:
            self.file = os.open("..", _FOLDER, dir_fd=inner.file)
            if not os.path.samestat(self._at, os.fstat(self.file)):
                raise FileNotFoundError(errno.ENOENT, "it was moved meanwhile")

    def close(self) -> None:
        """Release the descriptor."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def _list(self) -> Iterator[tuple[bytes, os.stat_result]]:
        with os.scandir(self.file) as items:
            found = [(item.name.encode(*_NAMES), item.stat(follow_symlinks=False)) for item in items]
        found.sort(key=itemgetter(0))
        yield from found


def _enter(stack: list[_Folder], name: bytes, path: bytes) -> None:
    """Go into the folder `name` of the innermost, with only so many open at once."""
    stack.append(_Folder(os.open(name, _FOLDER, dir_fd=stack[-1].file), path + b"/"))
    if len(stack) > _OPEN:
        stack[-1 - _OPEN].suspend()


def _leave(stack: list[_Folder]) -> None:
    """Leave the innermost folder; the one around it is open then."""
    if len(stack) > 1:
        stack[-2].resume(stack[-1])
    stack.pop().close()


def _plain(path: bytes, kind: Kind, status: os.stat_result, target: bytes) -> Entry:
    mode, mtime = status.st_mode & 0o7777, status.st_mtime_ns // _SECOND
    return Entry(path, kind, mode, status.st_uid, status.st_gid, mtime, target=target)


def _read_xattrs(path: bytes) -> tuple[tuple[bytes, bytes], ...]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise
    if not names:
        return ()
    values = ((os.fsencode(name), os.getxattr(path, name, follow_symlinks=False)) for name in names)
    return tuple(sorted(values))
