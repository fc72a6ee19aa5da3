"""Files that appear under their name when they are whole, so that nobody ever reads half of one."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# What open(2) says of O_TMPFILE where the kernel or the file system does not know it.
_NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS)
_PART = ".part"
_LONGEST = 128
"""How many bytes of its file's name are in that of a part, which is longer and may have 255 at most."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Open a new file that appears as `path` when the block ends well and never otherwise.

    Until then it has no name (open(2), O_TMPFILE), and is gone with the process that writes it. Where the
    file system cannot do that it is hidden beside `path` (`.NAME.XXXX.part`), and the next writer of `path`
    removes what a killed one left. Folders that are missing are made for the whole file, which is beside the
    first of them until then. `mode` is exact: the umask has no say. Raises OSError, also for a `path` that
    `irregular` knows.
    """
    if kind := irregular(path):
        raise FileExistsError(errno.EEXIST, f"{kind} is there", str(path))
    folder = _nearest_folder(path)
    hidden = "." + os.fsencode(path.name)[:_LONGEST].decode("utf-8", "ignore")
    _remove_abandoned(folder, hidden)
    part = folder / f"{hidden}.{secrets.token_hex(4)}{_PART}"
    try:
        with _open_new(part) as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            path.parent.mkdir(parents=True, exist_ok=True)
            _give_name(file.fileno(), part, path)
    finally:
        part.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by a file that holds `data`."""
    with atomic_file(path, mode=mode) as file:
        file.write(data)


def irregular(path: Path) -> str:
    """What is at `path`, in words, if no file may take its place; else empty. Raises OSError.

    A link to a file may be replaced as a file may, but not those that stand for what a process has open:
    /dev/stdout, for one, is there for everybody.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        if kind := _KINDS.get(stat.S_IFMT(path.stat().st_mode)):
            return kind
    if path.is_symlink():
        places = (os.readlink(path), os.path.realpath(path.parent) + "/")
        if any(place.startswith("/proc/") for place in places):
            return "a link into /proc"
    return ""


def _nearest_folder(path: Path) -> Path:
    """The folder of `path`, or the lowest above it that is there. Raises OSError if that is no folder."""
    for folder in path.parents:
        with suppress(FileNotFoundError, NotADirectoryError):
            folder.lstat()
            break
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is no folder", str(folder))
    return folder


def _open_new(part: Path) -> BinaryIO:
    """A new file: nameless where that can be had, else `part`. Its lock says that somebody writes it."""
    try:
        descriptor = os.open(part.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _NO_NAMELESS:
            raise
        descriptor = _open_part(part)
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return open(descriptor, "w+b")


def _open_part(part: Path) -> int:
    """The new file `part`, locked unless its file system knows no locks."""
    while True:
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # somebody took it for abandoned before it was locked


def _give_name(file: int, part: Path, path: Path) -> None:
    """Let `file`, nameless or called `part`, be `path`, in place of what may be there."""
    if os.fstat(file).st_nlink == 0:
        try:
            _link(file, path)
        except FileExistsError:
            _link(file, part)  # a link cannot replace a file, a rename can
        else:
            return
    part.replace(path)


def _link(file: int, path: Path) -> None:
    """linkat(2) with AT_SYMLINK_FOLLOW, which os.link only calls where it is given a directory."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(f"/proc/self/fd/{file}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _remove_abandoned(folder: Path, hidden: str) -> None:
    """Delete what killed writers left of parts whose name begins with `hidden`: nobody holds its lock."""
    for left in folder.glob(f"{glob.escape(hidden)}.*{_PART}"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
