"""Whether bytes are an ICO file that Windows shows: the directory, and what it points to."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_DIRECTORY = struct.Struct("<HHH")
_ENTRY = struct.Struct("<BBBBHHII")
_PNG = b"\x89PNG\r\n\x1a\n"
_BITMAP_HEADER = 40


def refuse_icon(data: bytes) -> str:
    """Why `data` is no usable icon; empty when it is one. Source: ICONDIR in Microsoft's "Icons"."""
    if data.startswith(_PNG):
        return "is a PNG file, expected ICO"
    if len(data) < _DIRECTORY.size:
        return "is too short for an icon"
    reserved, kind, count = _DIRECTORY.unpack_from(data)
    if (reserved, kind) != (0, 1):
        return "does not begin as an icon does"
    if count == 0:
        return "has no images"
    if len(data) < _DIRECTORY.size + count * _ENTRY.size:
        return f"is cut: its directory should have {count} images"
    return next(_faults(data, count), "")


def _faults(data: bytes, count: int) -> Iterator[str]:
    for index in range(count):
        *_, size, offset = _ENTRY.unpack_from(data, _DIRECTORY.size + index * _ENTRY.size)
        image = data[offset : offset + size]
        if offset < _DIRECTORY.size + count * _ENTRY.size or len(image) < size or not size:
            yield f"image {index + 1} of {count} lies outside of the file"
        elif not image.startswith(_PNG) and image[:4] != struct.pack("<I", _BITMAP_HEADER):
            yield f"image {index + 1} of {count} is neither a bitmap nor PNG"
