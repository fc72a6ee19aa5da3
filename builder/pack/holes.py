"""Which parts of a giant file are zeros: decided by reading them, never by what the file system stores.

The same content thus gives the same archive from any disk. Smaller files are stored in full: a compressed
zero costs a thousandth of a byte, while every hole costs the readers that know no sparse files.
"""

from __future__ import annotations

import errno
import os

from builder.model.entry import Entry
from builder.pack.content import open_entry, read_full
from builder.tar.sparse import Region

THRESHOLD = 256 << 20
"""Files from this size on are searched for holes, in bytes."""

GRAIN = 1 << 20
"""A hole is made of whole blocks of this size, in bytes, counted from the start of the file."""

_ZEROS = bytes(GRAIN)


def find_holes(entry: Entry) -> tuple[Region, ...] | None:
    """The regions of `entry` that are not zeros; None if it is small or has no hole. Raises PackError."""
    if entry.size < THRESHOLD:
        return None
    with open_entry(entry) as file:
        regions = _merge(_scan(entry, file))
    return None if sum(region.size for region in regions) == entry.size else regions


def _scan(entry: Entry, file: int) -> list[Region]:
    buffer = bytearray(GRAIN)
    start = os.lseek(file, 0, os.SEEK_CUR)
    regions, offset = [], 0
    while offset < entry.size:
        offset = max(offset, _next_data(file, start, offset, entry.size) // GRAIN * GRAIN)
        size = min(GRAIN, entry.size - offset)
        if size <= 0:
            break
        os.lseek(file, start + offset, os.SEEK_SET)
        with memoryview(buffer) as view:
            read_full(entry, file, view[:size])
        if not _is_zero(buffer, size):
            regions.append(Region(offset, size))
        offset += size
    return regions


def _next_data(file: int, start: int, offset: int, size: int) -> int:
    """A hint that only saves time: a hole of the file system is one, what it stores may be zeros as well."""
    try:
        return os.lseek(file, start + offset, os.SEEK_DATA) - start
    except OSError as error:
        hole_to_end = error.errno == errno.ENXIO and os.fstat(file).st_size >= start + size
        return size if hole_to_end else offset


def _is_zero(buffer: bytearray, size: int) -> bool:
    return buffer == _ZEROS if size == GRAIN else not any(memoryview(buffer)[:size])


def _merge(regions: list[Region]) -> tuple[Region, ...]:
    merged: list[Region] = []
    for region in regions:
        if merged and merged[-1].offset + merged[-1].size == region.offset:
            region = Region(merged[-1].offset, merged[-1].size + region.size)
            merged.pop()
        merged.append(region)
    return tuple(merged)
