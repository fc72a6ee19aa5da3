"""Writes what an extraction leaves into a folder; each act is on an entry of an open folder, none outside."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from builder.extraction.extraction import is_hard_link
from builder.extraction.folders import Folders
from builder.extraction.metadata import read_times, set_acls, set_xattrs
from builder.extraction.names import split_name
from builder.extraction.tree import Node
from builder.model.entry import Kind
from builder.tar.member import Body, Member

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKED = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TYPES = {Kind.CHAR: stat.S_IFCHR, Kind.BLOCK: stat.S_IFBLK, Kind.FIFO: stat.S_IFIFO}
_PIECE = 1 << 20
_ZEROS = bytes(_PIECE)


class _Pending(NamedTuple):
    """What a folder gets when all is written. Only one that `member` made gets its time then, as libarchive
    does it: one that was there got it at once, and a new one from what is written into it later."""

    node: Node
    member: Member
    made: bool


class Writer:
    """Writes members with what `Extraction.extract` made of them below the folder `top`."""

    def __init__(self, top: Path, *, acls: bool = True) -> None:
        self._folders = Folders(top)
        self._acls = acls
        self._pending: dict[bytes, _Pending] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folders.__exit__(kind, error, trace)

    def write(self, member: Member, path: bytes, node: Node) -> None:
        """Write `node` of `member` at `path`, in place of what is there. Raises OSError."""
        if node.kind is Kind.DIRECTORY:
            self._write_folder(member, path, node)
            return
        folder, name = self._make_room(path)
        if is_hard_link(member):
            self._write_link(member, path, node)
        elif node.kind is Kind.FILE:
            with _opened(name, _NEW, folder) as file:
                self._fill(file, member, node)
        else:
            self._write_special(member, folder, name, node)

    def finish(self) -> Iterator[tuple[bytes, OSError]]:
        """Set modes and times of folders, from the bottom up; yields those where that fails."""
        for path in sorted(self._pending, reverse=True):
            pending = self._pending[path]
            try:
                self._finish(path, pending)
            except OSError as error:
                yield path, error

    def _finish(self, path: bytes, pending: _Pending) -> None:
        folder = self._folders.open(path)
        os.fchmod(folder, pending.node.mode)
        with suppress(OSError):  # as libarchive does
            self._set_acls(folder, pending.member, pending.node.mode)
        if pending.made:
            os.utime(folder, ns=read_times(pending.member))

    def _write_folder(self, member: Member, path: bytes, node: Node) -> None:
        made = self._make_folder(path)
        descriptor = self._folders.open(path)
        if made or path not in self._pending:
            self._pending[path] = _Pending(node, member, made)
        os.fchown(descriptor, node.uid, node.gid)
        os.utime(descriptor, ns=read_times(member))
        set_xattrs(descriptor, member)

    def _make_folder(self, path: bytes) -> bool:
        """Make a folder where none is; whether that was done."""
        if not path:
            return False
        folder, name = self._parent(path)
        if _is_folder(name, folder):
            return False
        _remove(name, folder)
        os.mkdir(name, 0o700, dir_fd=folder)
        return True

    def _write_link(self, member: Member, path: bytes, node: Node) -> None:
        target = b"/".join(split_name(member.linkname))
        above, name = self._parent(target)
        source = os.dup(above)
        try:
            folder, own = self._parent(path)
            os.link(name, own, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source)
        if member.size and node.kind is Kind.FILE:
            with _opened(own, _LINKED, folder) as file:
                self._fill(file, member, node)

    def _fill(self, file: int, member: Member, node: Node) -> None:
        """Owner, mode, attributes in this order: each would take away what comes after it."""
        _copy(member.body, file)
        os.utime(file, ns=read_times(member))
        os.fchown(file, node.uid, node.gid)
        os.fchmod(file, node.mode)
        self._set_acls(file, member, node.mode)
        set_xattrs(file, member)

    def _write_special(self, member: Member, folder: int, name: bytes, node: Node) -> None:
        if node.kind is Kind.SYMLINK:
            os.symlink(node.target, name, dir_fd=folder)
        else:
            os.mknod(name, _TYPES[node.kind] | 0o600, os.makedev(*member.device), dir_fd=folder)
        os.chown(name, node.uid, node.gid, dir_fd=folder, follow_symlinks=False)
        os.utime(name, ns=read_times(member), dir_fd=folder, follow_symlinks=False)
        place = f"/proc/self/fd/{folder}/".encode() + name
        if node.kind is not Kind.SYMLINK:
            os.chmod(place, node.mode)
            self._set_acls(place, member, node.mode)
        set_xattrs(place, member)

    def _set_acls(self, file: int | bytes, member: Member, mode: int) -> None:
        if self._acls:
            set_acls(file, member, mode)

    def _parent(self, path: bytes) -> tuple[int, bytes]:
        above, _, name = path.rpartition(b"/")
        return self._folders.open(above), name

    def _make_room(self, path: bytes) -> tuple[int, bytes]:
        folder, name = self._parent(path)
        if _remove(name, folder):
            self._folders.forget(path)
            self._pending.pop(path, None)
        return folder, name


@contextmanager
def _opened(name: bytes, flags: int, folder: int) -> Iterator[int]:
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_folder(name: bytes, folder: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _remove(name: bytes, folder: int) -> bool:
    """Remove a file, link or empty folder; whether there was one."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    except IsADirectoryError:
        os.rmdir(name, dir_fd=folder)
    return True


def _copy(body: Body, file: int) -> None:
    """The content; pieces of nothing but zeros become holes, so that a sparse file takes no room."""
    while piece := body.read(_PIECE):
        if piece == _ZEROS:
            os.lseek(file, len(piece), os.SEEK_CUR)
            continue
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(file, rest) :]
    os.ftruncate(file, os.lseek(file, 0, os.SEEK_CUR))
