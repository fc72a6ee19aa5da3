"""Entries as the parts of an archive: bytes that are known, and spans of files that are yet to be read.

Nothing here reads content, so that the parts can be cut, hashed and filled by whoever has the threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from builder.model.entry import Entry, Kind
from builder.tar.format import BLOCK
from builder.tar.header import pack_headers
from builder.tar.hole import pack_sparse_headers
from builder.tar.sparse import Region

END_OF_ARCHIVE = bytes(2 * BLOCK)

FindHoles = Callable[[Entry], tuple[Region, ...] | None]
"""The regions of a file that are not zeros, or None where it is to be stored in full."""


class Span(NamedTuple):
    """`length` bytes of the content of `entry` from `offset` on."""

    entry: Entry
    offset: int
    length: int


class Member(NamedTuple):
    """One entry in the archive: its headers, then its spans one after the other, zeros up to a full block."""

    path: bytes
    headers: bytes
    spans: tuple[Span, ...]
    length: int


def write_members(entries: Iterable[Entry], find_holes: FindHoles) -> Iterator[Member]:
    """The members of `entries`, in their order. `END_OF_ARCHIVE` follows the last. Raises PackError."""
    for entry in entries:
        if entry.kind is not Kind.FILE or not entry.size:
            yield Member(entry.path, pack_headers(entry), (), 0)
        elif (regions := find_holes(entry)) is not None:
            yield _sparse(entry, regions)
        else:
            yield Member(entry.path, pack_headers(entry), (Span(entry, 0, entry.size),), entry.size)


def _sparse(entry: Entry, regions: tuple[Region, ...]) -> Member:
    spans = tuple(Span(entry, offset, length) for offset, length in regions if length)
    return Member(entry.path, pack_sparse_headers(entry, regions), spans, sum(span.length for span in spans))
