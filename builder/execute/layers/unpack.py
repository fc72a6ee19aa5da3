"""Writes entries into the first layer: Entry stream -> directory.

Every write goes through the descriptor of a directory that was reached without following a link, so that
no archive can write outside, whatever its links say. Links among the parents lead inside the image.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import Self

from builder.core.errors import ExecuteError
from builder.execute.layers.form import FULL_DISK
from builder.execute.layers.view import join
from builder.model.entry import Entry, Kind

_CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_FOLDERS = 256  # descriptors kept open
_MOST_LINKS = 40


def unpack_entries(target: bytes, entries: Iterable[Entry]) -> None:
    """Fill the empty directory `target`. A later entry of the same path replaces the earlier one.

    Device nodes are left out where the user namespace forbids them: an image holds none. Raises
    ExecuteError naming the entry that cannot be written.
    """
    with _Unpacker(target) as unpacker:
        for entry in entries:
            try:
                unpacker.write(entry)
            except OSError as error:
                if error.errno in FULL_DISK:
                    raise
                reason = f"cannot be written with owner {entry.uid}:{entry.gid}: {error.strerror}"
                raise ExecuteError(reason, where="/" + os.fsdecode(entry.path)) from error


class _Unpacker:
    def __init__(self, target: bytes) -> None:
        self._root = os.open(target, _FOLDER)
        self._folders: dict[bytes, int] = {}
        self._real: dict[bytes, bytes] = {b"": b""}
        self._times: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._set_folder_times()
        self._forget_folders()
        os.close(self._root)

    def write(self, entry: Entry) -> None:
        folder, name = posixpath.split(entry.path)
        real = self._resolve(folder)
        parent = self._open(real)
        if entry.kind is Kind.DIRECTORY:
            self._write_folder(entry, parent, name, join(real, name))
        elif entry.kind is Kind.FILE:
            _write_file(entry, parent, name)
        else:
            self._write_special(entry, parent, name)

    def _write_folder(self, entry: Entry, parent: int, name: bytes, real: bytes) -> None:
        if name:
            try:
                os.mkdir(name, dir_fd=parent)
            except FileExistsError:
                if self._is_link_to_folder(entry.path):
                    return
                if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=parent)
                    os.mkdir(name, dir_fd=parent)
        _set_metadata(self._open(real), entry)
        self._times[real] = entry.mtime

    def _is_link_to_folder(self, path: bytes) -> bool:
        """Whether a link stands where a directory is to be: packages from before the merge of /usr ship
        /lib as a directory, and dpkg too leaves the link."""
        try:
            return self._resolve(path) != path
        except (NotADirectoryError, FileNotFoundError):
            return False

    def _write_special(self, entry: Entry, parent: int, name: bytes) -> None:
        _clear(parent, name)
        if entry.kind is Kind.HARDLINK:
            folder, last = posixpath.split(entry.target)
            source = self._open(self._resolve(folder))
            os.link(last, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        elif entry.kind is Kind.SYMLINK:
            os.symlink(entry.target, name, dir_fd=parent)
            _set_owner_and_time(entry, parent, name)
        else:
            with suppress(PermissionError):
                kind = {Kind.FIFO: stat.S_IFIFO, Kind.CHAR: stat.S_IFCHR, Kind.BLOCK: stat.S_IFBLK}[
                    entry.kind
                ]
                os.mknod(name, kind | entry.mode, os.makedev(*entry.device), dir_fd=parent)
                _set_owner_and_time(entry, parent, name)
                os.chmod(name, entry.mode, dir_fd=parent)

    def _resolve(self, folder: bytes) -> bytes:
        """The path of the directory `folder` in the image without links. Raises OSError if it is none."""
        known = self._real.get(folder)
        if known is None:
            known = self._follow(folder, _MOST_LINKS)
            self._real[folder] = known
        return known

    def _follow(self, folder: bytes, links: int) -> bytes:
        real = b""
        parts = folder.split(b"/")
        for index, part in enumerate(parts):
            if part in (b"", b".", b".."):
                real = posixpath.dirname(real) if part == b".." else real
                continue
            parent = self._open(real)
            status = os.stat(part, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                if links == 0:
                    raise NotADirectoryError(20, "its path leads through more than 40 links")
                target = os.readlink(part, dir_fd=parent)
                start = target if target.startswith(b"/") else join(real, target)
                return self._follow(b"/".join([start, *parts[index + 1 :]]), links - 1)
            real = join(real, part)
        return real

    def _open(self, real: bytes) -> int:
        """The descriptor of a directory whose path has no links."""
        if not real:
            return self._root
        known = self._folders.get(real)
        if known is None:
            if len(self._folders) >= _MOST_FOLDERS:
                self._forget_folders()
            parent, name = posixpath.split(real)
            known = os.open(name, _FOLDER, dir_fd=self._open(parent))
            self._folders[real] = known
        return known

    def _forget_folders(self) -> None:
        for descriptor in self._folders.values():
            os.close(descriptor)
        self._folders.clear()

    def _set_folder_times(self) -> None:
        for real, mtime in self._times.items():
            with suppress(FileNotFoundError, NotADirectoryError):  # replaced by a later entry
                os.utime(self._open(real), ns=(mtime * 10**9, mtime * 10**9))


def _write_file(entry: Entry, parent: int, name: bytes) -> None:
    try:
        descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
    except FileExistsError:
        _clear(parent, name)
        descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
    try:
        if entry.size:
            _copy(entry, descriptor)
        _set_metadata(descriptor, entry)
        os.utime(descriptor, ns=(entry.mtime * 10**9, entry.mtime * 10**9))
    finally:
        os.close(descriptor)


def _copy(entry: Entry, target: int) -> None:
    assert entry.open is not None, entry.path
    source, left = entry.open(), entry.size
    try:
        while left:
            data = os.read(source, min(left, _CHUNK))
            if not data:
                raise OSError(5, f"its content ends {left} bytes early")
            left -= len(data)
            while data:
                data = data[os.write(target, data) :]
    finally:
        os.close(source)


def _set_metadata(descriptor: int, entry: Entry) -> None:
    """Owner first: changing it takes away setuid and capabilities."""
    os.fchown(descriptor, entry.uid, entry.gid)
    os.fchmod(descriptor, entry.mode)
    for name, value in entry.xattrs:
        os.setxattr(descriptor, name, value)


def _set_owner_and_time(entry: Entry, parent: int, name: bytes) -> None:
    os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
    time = entry.mtime * 10**9
    os.utime(name, ns=(time, time), dir_fd=parent, follow_symlinks=False)


def _clear(parent: int, name: bytes) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=parent)
