"""Chunks of bytes, read as one stream that only goes forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Window:
    """Takes, peeks and skips over chunks; holds one chunk and what a request needs beyond it."""

    __slots__ = ("_at", "_base", "_chunks", "_data")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._data = b""
        self._at = 0
        self._base = 0

    @property
    def offset(self) -> int:
        """How many bytes were taken or skipped so far."""
        return self._base + self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end of the stream."""
        end = self._at + size
        if end > len(self._data):
            self._fill(size)
            end = min(self._at + size, len(self._data))
        part = self._data[self._at : end]
        self._at = end
        return part

    def peek(self, size: int) -> bytes:
        """What `take` would return, without moving."""
        if self._at + size > len(self._data):
            self._fill(size)
        return self._data[self._at : self._at + size]

    def skip(self, size: int) -> int:
        """Move past `size` bytes without joining them; returns how many there were."""
        left = size
        while (there := len(self._data) - self._at) < left:
            left -= there
            if not self._advance():
                return size - left
        self._at += left
        return size

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces as they come; fewer only at the end of the stream."""
        while size > 0:
            if self._at >= len(self._data) and not self._advance():
                return
            piece = self._data[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def _advance(self) -> bool:
        """Forget the current chunk and hold the next one."""
        self._base += len(self._data)
        self._data, self._at = next(self._chunks, b""), 0
        return bool(self._data)

    def _fill(self, size: int) -> None:
        parts = [self._data[self._at :]]
        missing = size - len(parts[0])
        while missing > 0 and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            missing -= len(chunk)
        self._base += self._at
        self._data, self._at = b"".join(parts), 0
