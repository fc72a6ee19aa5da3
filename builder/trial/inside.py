"""Reads and changes a foreign root file system without ever leaving it."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
_TRIES = 1000
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES)
_libc = ctypes.CDLL(None, use_errno=True)


class Inside:
    """The tree below `folder`, whose own links and `..` lead nowhere else, even while it changes.

    Paths are absolute paths of the tree. The kernel resolves them as after chroot (openat2(2),
    RESOLVE_IN_ROOT), as microsoft/WSL src/linux/init/main.cpp:PostProcessImportedDistribution does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, path: str, flags: int) -> int:
        """A descriptor of `path`, to be closed by the caller. Raises OSError."""
        how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        root = os.open(self.folder, os.O_PATH | os.O_CLOEXEC)
        try:
            for _ in range(_TRIES):
                result, number = _openat2(root, os.fsencode(path.lstrip("/") or "."), how)
                if number != errno.EAGAIN:
                    break
        finally:
            os.close(root)
        if result < 0:
            raise OSError(number, os.strerror(number), path)
        return result

    def stat(self, path: str) -> os.stat_result | None:
        """What `path` leads to; None where that is nothing."""
        try:
            descriptor = self.open(path, os.O_PATH)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def exists(self, path: str) -> bool:
        """Whether `path` leads to something; a dangling link does not."""
        return self.stat(path) is not None

    def is_executable(self, path: str) -> bool:
        """Whether `path` leads to a file that somebody may execute."""
        status = self.stat(path)
        return status is not None and stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o111)

    def read(self, path: str, limit: int = 1 << 20) -> bytes | None:
        """The first `limit` bytes of the regular file that `path` leads to; None where there is none."""
        status = self.stat(path)
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        with os.fdopen(self.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return file.read(limit)

    def make_folder(self, path: str, mode: int = 0o755) -> None:
        """`path` as a folder, its parents too. Raises OSError where something else is in the way."""
        parent, _, name = path.rstrip("/").rpartition("/")
        if not name or self.exists(path):
            return
        self.make_folder(parent)
        with self._folder(parent) as descriptor:
            os.mkdir(name, dir_fd=descriptor)
            os.chmod(name, mode, dir_fd=descriptor)

    def make_link(self, path: str, target: str, *, replace: bool = False) -> None:
        """`path` as a link to `target`, unless something is there. Raises OSError."""
        parent, _, name = path.rpartition("/")
        with self._folder(parent) as descriptor:
            if replace:
                _unlink(name, descriptor)
            try:
                os.symlink(target, name, dir_fd=descriptor)
            except FileExistsError:
                if replace:
                    raise

    def write(self, path: str, data: bytes) -> None:
        """`path` as a new file with `data`, mode 0644. Raises OSError."""
        parent, _, name = path.rpartition("/")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with self._folder(parent) as descriptor:
            _unlink(name, descriptor)
            with os.fdopen(os.open(name, flags, 0o644, dir_fd=descriptor), "wb") as file:
                file.write(data)

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        descriptor = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _unlink(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def _openat2(root: int, name: bytes, how: bytes) -> tuple[int, int]:
    """The result and errno; EAGAIN where a rename or mount anywhere on the host came in between."""
    result = _libc.syscall(ctypes.c_long(_OPENAT2), root, name, how, ctypes.c_size_t(len(how)))
    return int(result), ctypes.get_errno() if result < 0 else 0
