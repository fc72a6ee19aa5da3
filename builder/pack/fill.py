"""Reads the bytes of a segment straight into a buffer that is used again and again."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue

from builder.model.entry import Entry
from builder.pack.content import read_span
from builder.pack.segments import Segment


class Buffers:
    """`count` buffers of at least `size` bytes, made when first needed; `take` waits for a free one."""

    def __init__(self, count: int, size: int) -> None:
        self._size = size
        self._free: SimpleQueue[bytearray | None] = SimpleQueue()
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


def show_files(segment: Segment, data: memoryview, watch: Callable[[Entry, memoryview], None]) -> None:
    """Call `watch` for each file that is whole in `segment`, whose bytes are `data`."""
    position = 0
    for part in segment.parts:
        if isinstance(part, bytes):
            position += len(part)
            continue
        end = position + part.length
        if part.length == part.entry.size:
            watch(part.entry, data[position:end])
        position = end
