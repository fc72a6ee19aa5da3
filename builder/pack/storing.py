"""Hands the segments of an image to the segment cache, in a thread of its own."""

from __future__ import annotations

from builder.pack.lane import Lane
from builder.pack.session import Session
from builder.pack.workers import Packed


class Storing(Lane):
    """`keys` holds one key of each segment so far, in order; `reused` counts those that were in the cache."""

    def __init__(self, session: Session | None) -> None:
        super().__init__("store")
        self._session = session
        self.keys: list[bytes] = []
        self.reused = 0

    def add_segment(self, packed: Packed) -> None:
        """Store the segment unless it was found; nothing happens without a session."""
        if self._session is None:
            return
        self.keys.append(packed.keys[0])
        self.reused += packed.found
        if not packed.found:
            self.add(self._session.put, packed.keys, packed.data)
        elif len(packed.keys) > 1:
            self.add(self._session.alias, packed.keys[0], packed.keys[1:])
