"""Headers of files with large holes, in the old GNU form that libarchive, GNU tar and Python read.

Source: GNU tar manual, "Storing Sparse Files", and its `struct sparse`, `struct oldgnu_header`.
"""

from __future__ import annotations

from collections.abc import Sequence

from builder.model.entry import Entry
from builder.tar.format import GNU_MAGIC, GNU_SPARSE
from builder.tar.header import member_name, pack_extensions, pack_fields, pack_number
from builder.tar.sparse import Region

_IN_HEADER = 4
_IN_EXTENSION = 21
_PAIR = 24
_UNUSED = bytes(386 - 345)
"""GNU keeps times there that nobody needs."""


def pack_sparse_headers(entry: Entry, regions: Sequence[Region]) -> bytes:
    """The blocks before the content of `entry`, of which only `regions` (in order) are stored.

    A region of no bytes at the end of the file says how long a last hole is, as GNU tar writes it.
    """
    name = member_name(entry)
    table = [_pair(region) for region in regions]
    if not regions or regions[-1].offset + regions[-1].size < entry.size:
        table.append(_pair(Region(entry.size, 0)))
    stored = sum(region.size for region in regions)
    # GNU's block has no prefix field: a long name cannot be split.
    before = pack_extensions(entry, name, split=False)
    return before + _header(entry, name, table, stored) + _extensions(table[_IN_HEADER:])


def _pair(region: Region) -> bytes:
    return pack_number(region.offset, 12) + pack_number(region.size, 12)


def _header(entry: Entry, name: bytes, table: Sequence[bytes], stored: int) -> bytes:
    first = b"".join(table[:_IN_HEADER]).ljust(_IN_HEADER * _PAIR, b"\0")
    last = _UNUSED + first + bytes([len(table) > _IN_HEADER]) + pack_number(entry.size, 12)
    return pack_fields(name[:100], entry, GNU_SPARSE, stored, GNU_MAGIC, last)


def _extensions(table: Sequence[bytes]) -> bytes:
    blocks = []
    for at in range(0, len(table), _IN_EXTENSION):
        more = at + _IN_EXTENSION < len(table)
        blocks.append(b"".join(table[at : at + _IN_EXTENSION]).ljust(504, b"\0") + bytes([more]) + bytes(7))
    return b"".join(blocks)
