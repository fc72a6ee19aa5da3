"""What is known of the archive before it is compressed, found out in a thread of its own."""

from __future__ import annotations

import hashlib
from zlib import crc32

from builder.pack.fill import Buffers
from builder.pack.lane import Lane
from builder.pack.workers import Packed


class Archive(Lane):
    """Takes the segments in order; with `checked` it also computes `crc`, the CRC-32 of all of them."""

    def __init__(self, *, checked: bool) -> None:
        super().__init__("archive")
        self._sha = hashlib.sha256()
        self._checked = checked
        self.crc = 0
        self.size = 0
        self.segments = 0

    def add_segment(self, packed: Packed, buffers: Buffers) -> None:
        """Append the segment; its buffer returns to `buffers`."""
        self.size += packed.size
        self.segments += 1
        self.add(self._digest, packed, buffers)

    def finish(self) -> str:
        """Wait until all is digested; returns the SHA-256."""
        self.drain()
        return self._sha.hexdigest()

    def _digest(self, packed: Packed, buffers: Buffers) -> None:
        with memoryview(packed.buffer) as view, view[: packed.size] as data:
            self._sha.update(data)
            if self._checked:
                self.crc = crc32(data, self.crc)
        buffers.give(packed.buffer)
