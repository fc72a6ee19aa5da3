"""Reads the bytes of a segment straight into a buffer that is used again and again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from builder.core.errors import PackError
from builder.model.entry import Entry
from builder.pack.segments import Segment
from builder.tar.header import printable
from builder.tar.write import Span


class Buffers:
    """`count` buffers of at least `size` bytes, made when first needed; `take` waits for a free one."""

    def __init__(self, count: int, size: int) -> None:
        self._size = size
        self._free: SimpleQueue[bytearray | None] = SimpleQueue()
        self.add(count)

    def add(self, count: int) -> None:
        """Allow `count` more."""
        for _ in range(count):
            self._free.put(None)

    def take(self, size: int) -> bytearray:
        """A buffer for `size` bytes, owned by the caller until `give`."""
        buffer = self._free.get()
        return buffer if buffer and len(buffer) >= size else bytearray(max(size, self._size))

    def give(self, buffer: bytearray) -> None:
        """Return what `take` returned."""
        self._free.put(buffer)


def fill_segment(segment: Segment, buffer: bytearray) -> None:
    """Write the bytes of `segment` to the start of `buffer`. Raises PackError naming the file that failed."""
    position = 0
    with memoryview(buffer) as view:
        for part in segment.parts:
            if isinstance(part, bytes):
                end = position + len(part)
                view[position:end] = part
            else:
                end = position + part.length
                read_span(part, view[position:end])
            position = end


def read_span(span: Span, view: memoryview) -> None:
    """Fill `view` with the bytes of `span`. Raises PackError if one is missing or changes."""
    entry = span.entry
    with open_entry(entry) as file:
        before = _state(file) if entry.identity is None else None
        if span.offset:
            os.lseek(file, span.offset, os.SEEK_CUR)
        read_full(entry, file, view)
        if before is not None and before != _state(file):
            raise changed(entry)


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
    except FileNotFoundError:
        raise changed(entry) from None
    except OSError as error:
        raise PackError(
            f"cannot be read: {error.strerror}",
            where=printable(entry.path),
            fix="check its permissions and the disk; for a folder of root's files run as root",
        ) from error


def read_full(entry: Entry, file: int, view: memoryview) -> None:
    """Read until `view` is full. Raises PackError when the file ends before."""
    got = os.readv(file, (view,))
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


def _state(file: int) -> tuple[int, int, int]:
    status = os.fstat(file)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
