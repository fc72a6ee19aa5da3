"""What is known of the archive before it is compressed, found out in a thread of its own.

Segments that were compressed earlier are read or expanded again for it. That may go on beside whatever is
done with the image meanwhile: nearly all of it needs no interpreter.
"""

from __future__ import annotations

import hashlib
import sys
from zlib import crc32

from builder.core.errors import PackError
from builder.pack.compress import Compressor
from builder.pack.fill import Buffers, fill_segment
from builder.pack.lane import Lane
from builder.pack.segments import Segment
from builder.pack.session import Session
from builder.pack.workers import Packed

_FEW = 16
"""Parts of a segment, half of them files. So many are read in a tenth of the time that expanding takes; of
more, each costs as much as the content of 10 KB."""


class Archive(Lane):
    """Takes the segments in order: their SHA-256 is found if `hashed`, their CRC-32 (`crc`) if `compressor`
    is chained. `session` has those that were found without looking at their content."""

    def __init__(self, compressor: Compressor, session: Session | None, *, hashed: bool) -> None:
        super().__init__("archive", depth=sys.maxsize)
        self._compressor = compressor
        self._session = session
        self._sha = hashlib.sha256() if hashed else None
        self.crc = 0
        self.size = 0
        self.segments = 0

    def add_segment(self, packed: Packed, buffers: Buffers) -> None:
        """Append the segment; what was read of it returns to `buffers`."""
        self.size += packed.size
        self.segments += 1
        if packed.plain is not None:
            self.add(self._digest, packed.plain, packed.size, buffers)
        elif self._sha and self._session:
            few = packed.origin if len(packed.origin.parts) <= _FEW else None
            self.add(self._digest_known, self._session, packed.keys[0], few)

    def digest(self) -> str:
        """Wait until all is digested; returns the SHA-256, empty if there is none. Raises PackError if a
        segment cannot be expanded, which the session then forgets, or if a layer lost a file."""
        self.drain()
        return self._sha.hexdigest() if self._sha else ""

    def _digest(self, plain: bytearray, size: int, buffers: Buffers | None) -> None:
        with memoryview(plain) as view, view[:size] as data:
            if self._sha:
                self._sha.update(data)
            if self._compressor.chained:
                self.crc = crc32(data, self.crc)
        if buffers:
            buffers.give(plain)

    def _digest_known(self, session: Session, key: bytes, few: Segment | None) -> None:
        if few is None:
            plain = self._expand(session, key)
        else:
            plain = bytearray(few.size)
            fill_segment(few, plain)
        self._digest(plain, len(plain), None)

    def _expand(self, session: Session, key: bytes) -> bytearray:
        data = session.get(key)
        plain = None if data is None else self._compressor.expand(data)
        if plain is None:
            session.forget(key)
            raise PackError(
                "a segment of the image cannot be expanded",
                where=str(session.folder),
                fix="pack again: what was kept of it is deleted. If that happens more than once, test the "
                "memory and the disk of this machine",
            )
        return plain
