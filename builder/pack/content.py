"""Reads the content of entries, and finds out when it is not what was listed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from builder.core.errors import PackError
from builder.model.entry import Entry
from builder.tar.header import printable
from builder.tar.write import Span

State = tuple[int, int, int, int]
"""Inode, size in bytes, mtime and ctime in nanoseconds."""


def state_of(status: os.stat_result) -> State:
    """What a file cannot keep when it is written to or replaced."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class OpenUnchanged:
    """Opens the file `path` if it is still in `state`, as it was listed."""

    __slots__ = ("path", "state")

    def __init__(self, path: bytes, state: State) -> None:
        self.path = path
        self.state = state

    def __call__(self) -> int:
        """A new descriptor at the start of the file. Raises OSError, with ESTALE for another state."""
        file = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if state_of(os.fstat(file)) != self.state:
            os.close(file)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), self.path)
        return file


def read_span(span: Span, view: memoryview) -> None:
    """Fill `view` with the bytes of `span`. Raises PackError if one is missing or changes.

    Layers never change; the files of a folder are looked at again after they were read.
    """
    entry, offset, length = span
    assert entry.open is not None
    try:
        file = entry.open()
        try:
            before = _state_before(entry, file)
            if offset:
                os.lseek(file, offset, os.SEEK_CUR)
            got = os.readv(file, (view,))
            if got != length:
                read_full(entry, file, view[got:])
            if before is not None and before != state_of(os.fstat(file)):
                raise changed(entry)
        finally:
            os.close(file)
    except OSError as error:
        raise unreadable(entry, error) from error


def read_entry(entry: Entry) -> bytes:
    """The content of a FILE that fits into memory. Raises PackError."""
    if not entry.size:
        return b""
    data = bytearray(entry.size)
    with memoryview(data) as view:
        read_span(Span(entry, 0, entry.size), view)
    return bytes(data)


@contextmanager
def open_entry(entry: Entry) -> Iterator[int]:
    """The content of `entry` as a descriptor. An OSError in the block is raised as PackError."""
    assert entry.open is not None
    try:
        file = entry.open()
        try:
            yield file
        finally:
            os.close(file)
    except OSError as error:
        raise unreadable(entry, error) from error


def read_full(entry: Entry, file: int, view: memoryview) -> None:
    """Read until `view` is full. Raises PackError when the file ends before."""
    got = 0
    while got < len(view):
        more = os.readv(file, (view[got:],))
        if not more:
            raise changed(entry)
        got += more


def changed(entry: Entry) -> PackError:
    """The error for a file that is not what it was when the tree was listed."""
    return PackError(
        "changed or was cut while it was read",
        where=printable(entry.path),
        fix="stop whatever writes to the root file system and pack again",
    )


def unreadable(entry: Entry, error: OSError) -> PackError:
    """The error for a file that cannot be opened or read; one that vanished has changed."""
    if error.errno in (errno.ENOENT, errno.ESTALE):
        return changed(entry)
    return PackError(
        f"cannot be read: {error.strerror}",
        where=printable(entry.path),
        fix="check its permissions and the disk; for a folder of root's files run as root",
    )


def _state_before(entry: Entry, file: int) -> State | None:
    """What `file` was when it was listed, or is before it is read; None if it never changes."""
    if isinstance(entry.open, OpenUnchanged):
        return entry.open.state
    return state_of(os.fstat(file)) if entry.identity is None else None
