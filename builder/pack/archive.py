"""What is known of the archive before it is compressed, found out in a thread of its own."""

from __future__ import annotations

import hashlib
from zlib import crc32

from builder.pack.fill import Buffers
from builder.pack.lane import Lane
from builder.pack.workers import Packed


class Archive(Lane):
    """Takes the segments in order: their SHA-256 is found if `hashed`, their CRC-32 (`crc`) if `checked`."""

    def __init__(self, *, hashed: bool, checked: bool) -> None:
        super().__init__("archive")
        self._sha = hashlib.sha256() if hashed else None
        self._checked = checked
        self.crc = 0
        self.size = 0
        self.segments = 0

    def add_segment(self, packed: Packed, buffers: Buffers) -> None:
        """Append the segment; a buffer that was lent returns to `buffers`."""
        self.size += packed.size
        self.segments += 1
        if packed.plain is not None:
            self.add(self._digest, packed.plain, packed.size, buffers if packed.lent else None)

    def finish(self) -> str:
        """Wait until all is digested; returns the SHA-256, empty if there is none."""
        self.drain()
        return self._sha.hexdigest() if self._sha else ""

    def _digest(self, plain: bytearray, size: int, buffers: Buffers | None) -> None:
        with memoryview(plain) as view, view[:size] as data:
            if self._sha:
                self._sha.update(data)
            if self._checked:
                self.crc = crc32(data, self.crc)
        if buffers:
            buffers.give(plain)
