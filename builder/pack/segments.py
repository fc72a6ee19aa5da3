"""Where an archive is cut into segments that are read, compressed and cached each on its own.

The cut before an entry depends on its path and size and not on its neighbours, so that a change in a tree
changes the segment it falls into and no other: content-defined chunking with the path as the content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

from builder.tar.format import BLOCK, ZERO_BLOCK
from builder.tar.parse import padding
from builder.tar.write import END_OF_ARCHIVE, Member, Span

Part = bytes | Span


class Segment(NamedTuple):
    """Consecutive bytes of the archive: `size` of them, made of `parts`."""

    parts: tuple[Part, ...]
    size: int


def cut_segments(members: Iterable[Member], target: int) -> Iterator[Segment]:
    """The whole archive of `members`, with its end, in segments of about `target` bytes.

    The first segment ends between the headers and the content of the first file that has any: a reader that
    knows one compressed member only, as Python's `tarfile` in stream mode or flate2's `GzDecoder`, then fails
    instead of taking a part for the whole. An archive without such a file is one segment.
    """
    draft, loud = _Draft(), False
    for member in members:
        room = member.length + padding(member.length)
        if loud and _cuts(member.path, BLOCK + room, draft.weight, target):
            yield draft.finish()
        draft.add(member.headers, BLOCK)
        if not room:
            continue
        if not loud:
            yield draft.finish()
            loud = True
        if BLOCK + room <= 2 * target:
            draft.add_content(member, room)
        else:
            yield from _cut_content(draft, member, target)
    draft.add(END_OF_ARCHIVE, 0)
    yield draft.finish()


def _cuts(path: bytes, weight: int, before: int, target: int) -> bool:
    """Whether a new segment begins with this entry, after `before` bytes of the current one.

    The chance grows with the weight, so that segments have `target` bytes on average.
    """
    minimum, maximum = target // 4, target * 2
    if before < minimum:
        return weight > maximum and before > 0
    return before + weight > maximum or crc32(path) * (target - minimum) >> 32 < weight


def _cut_content(draft: _Draft, member: Member, target: int) -> Iterator[Segment]:
    """The content of a large file; its last segment ends with it."""
    for index, piece in enumerate(split_spans(member, target)):
        if index:
            yield draft.finish()
        draft.add_spans(piece)
    draft.add(bytes(padding(member.length)), 0)
    yield draft.finish()


def split_spans(member: Member, target: int) -> Iterator[tuple[Span, ...]]:
    """The content of a large file in the fewest equal pieces of at most `target` bytes, full blocks each."""
    count = -(-member.length // target)
    step = -(-member.length // count)
    room = step = step + padding(step)
    piece: list[Span] = []
    for entry, offset, length in member.spans:
        while length:
            taken = min(length, room)
            piece.append(Span(entry, offset, taken))
            offset, length, room = offset + taken, length - taken, room - taken
            if not room:
                yield tuple(piece)
                piece, room = [], step
    if piece:
        yield tuple(piece)


class _Draft:
    """A segment that is being put together; literal bytes that follow one another become one part."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._literals: list[bytes] = []
        self._size = 0
        self.weight = 0

    def add(self, data: bytes, weight: int) -> None:
        self._literals.append(data)
        self._size += len(data)
        self.weight += weight

    def add_content(self, member: Member, room: int) -> None:
        """The whole content of `member`, and zeros up to `room` bytes."""
        self._join()
        self._parts += member.spans
        self._literals.append(ZERO_BLOCK[: room - member.length])
        self._size += room
        self.weight += room

    def add_spans(self, spans: Iterable[Span]) -> None:
        self._join()
        for span in spans:
            self._parts.append(span)
            self._size += span.length

    def finish(self) -> Segment:
        """The segment so far; the draft starts anew."""
        self._join()
        segment = Segment(tuple(self._parts), self._size)
        self._parts, self._size, self.weight = [], 0, 0
        return segment

    def _join(self) -> None:
        if self._literals:
            self._parts.append(b"".join(self._literals))
            self._literals = []
