"""Where the stored bytes of a sparse file lie in it: old GNU headers and pax GNU.sparse 0.0, 0.1, 1.0.

Source: GNU tar manual, "Storing Sparse Files".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from builder.tar.format import BLOCK
from builder.tar.parse import TarError, parse_number
from builder.tar.window import Window

MAX_REGIONS = 1_000_000
_HOLE = bytes(1 << 20)


class Region(NamedTuple):
    """`size` stored bytes that belong at `offset` of the file."""

    offset: int
    size: int


def read_gnu_map(window: Window, block: bytes, offset: int) -> tuple[tuple[Region, ...], int]:
    """The regions and the real size of an old GNU sparse member; takes its extension blocks from `window`."""
    regions = list(_regions(block[386:482], offset))
    more = block[482]
    while more:
        extension = window.take(BLOCK)
        if len(extension) < BLOCK or len(regions) > MAX_REGIONS:
            raise TarError("the map of a sparse file is cut or has too many regions", offset=window.offset)
        regions += _regions(extension[:504], window.offset - BLOCK)
        more = extension[504]
    return tuple(regions), parse_number(block[483:495], offset)


def _regions(table: bytes, offset: int) -> Iterator[Region]:
    for at in range(0, len(table), 24):
        if table[at] == 0:
            return
        yield Region(
            parse_number(table[at : at + 12], offset), parse_number(table[at + 12 : at + 24], offset)
        )


def parse_pax_map(records: Sequence[tuple[bytes, bytes]], offset: int) -> tuple[Region, ...]:
    """The regions of GNU.sparse 0.0 (repeated records) or 0.1 (one list). Raises TarError."""
    numbers: list[bytes] = []
    for key, value in records:
        if key == b"GNU.sparse.map":
            numbers = value.split(b",") if value else []
        elif key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            numbers.append(value)
    return _pairs(numbers, offset)


def read_pax_map(window: Window, limit: int) -> tuple[tuple[Region, ...], int]:
    """The regions of GNU.sparse 1.0, which precede the content, and how many bytes they took."""
    start = window.offset
    data = b""
    lines: list[bytes] = []
    while not lines or len(lines) <= 2 * _decimal(lines[0], start):
        block = window.take(BLOCK)
        if len(block) < BLOCK or window.offset - start > limit or len(lines) > 2 * MAX_REGIONS:
            raise TarError("the map of a sparse file is cut or has too many regions", offset=start)
        *complete, data = (data + block).split(b"\n")
        lines += complete
    return _pairs(lines[1 : 1 + 2 * int(lines[0])], start), window.offset - start


def _pairs(numbers: Sequence[bytes], offset: int) -> tuple[Region, ...]:
    if len(numbers) % 2:
        raise TarError("the map of a sparse file has an offset without a size", offset=offset)
    values = [_decimal(number, offset) for number in numbers]
    return tuple(map(Region, values[::2], values[1::2]))


def _decimal(text: bytes, offset: int) -> int:
    if not text.isdigit() or len(text) > 20:
        raise TarError(f"the map of a sparse file has {text[:40]!r}, expected a number", offset=offset)
    return int(text)


def check_map(regions: Sequence[Region], stored: int, real_size: int, offset: int) -> None:
    """Raise TarError unless the regions are in order, inside the file, and add up to the stored bytes."""
    end = 0
    for region in regions:
        if region.offset < end:
            raise TarError("the regions of a sparse file overlap or are out of order", offset=offset)
        end = region.offset + region.size
    if end > real_size or sum(region.size for region in regions) > stored:
        raise TarError("the regions of a sparse file exceed the file or its stored bytes", offset=offset)


def stored_parts(window: Window, regions: Sequence[Region]) -> Iterator[tuple[int, bytes]]:
    """What is stored, in pieces as `window` gives them, each with its offset in the file."""
    for region in regions:
        at = region.offset
        for piece in window.pieces(region.size):
            yield at, piece
            at += len(piece)


def expand(window: Window, regions: Sequence[Region], real_size: int) -> Iterator[bytes]:
    """The content with zeros in the holes, in pieces of at most 1 MiB or as `window` gives them."""
    end = 0
    for at, piece in stored_parts(window, regions):
        yield from _zeros(at - end)
        yield piece
        end = at + len(piece)
    yield from _zeros(real_size - end)


def _zeros(size: int) -> Iterator[bytes]:
    while size > 0:
        piece = _HOLE[:size]
        size -= len(piece)
        yield piece
