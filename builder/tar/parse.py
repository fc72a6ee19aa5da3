"""One header block, and the records of a pax header, as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from zlib import adler32

from builder.core.errors import ExitCode, WslimgError
from builder.tar.format import BLOCK, GNU_MAGIC


class TarError(WslimgError):
    """The bytes at `offset` (of the uncompressed archive) are not what a tar archive has there."""

    exit_code = ExitCode.CHECK

    def __init__(self, message: str, *, offset: int, fix: str = "") -> None:
        super().__init__(message, where=f"byte {offset} of the archive", fix=fix)
        self.offset = offset

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.message, self.offset, self.fix))


def _rebuild(message: str, offset: int, fix: str) -> TarError:
    return TarError(message, offset=offset, fix=fix)


class Header(NamedTuple):
    """The fields of one block, before long names and pax records replace some of them."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    flag: bytes
    linkname: bytes
    magic: bytes
    uname: bytes
    gname: bytes
    device: tuple[int, int]


def checksum_holds(block: bytes) -> bool:
    """Whether the block's checksum is right, as unsigned bytes (POSIX) or as signed ones (old Sun tar)."""
    try:
        stored = int(block[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        return False
    # adler32's low half is 1 + the sum of the bytes, modulo 65521; 256 bytes cannot reach that.
    total = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    unsigned = total - sum(block[148:156]) + 8 * 32
    if stored == unsigned:
        return True
    high = sum(1 for byte in block[:148] + block[156:] if byte >= 128)
    return stored == unsigned - 256 * high


def parse_number(field: bytes, offset: int) -> int:
    """Octal text, or base-256 when the first bit is set (GNU, star). Raises TarError."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
        negative = field[0] & 0x40
        return value - (1 << (8 * len(field) - 1)) if negative else value
    text = field.rstrip(b"\0 ")
    if b"\0" in text:  # what follows the first NUL is not part of the number
        text = text.split(b"\0", 1)[0].strip()
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise TarError(f"a header has the number {text!r}, expected octal digits", offset=offset) from None


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def parse_header(block: bytes, offset: int) -> Header:
    """The fields of `block`, which holds 512 bytes read at `offset`. Raises TarError."""
    magic = block[257:265]
    name = _text(block[:100])
    if magic[:5] == b"ustar" and magic != GNU_MAGIC and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    return Header(
        name=name,
        mode=parse_number(block[100:108], offset),
        uid=parse_number(block[108:116], offset),
        gid=parse_number(block[116:124], offset),
        size=parse_number(block[124:136], offset),
        mtime=parse_number(block[136:148], offset),
        flag=block[156:157],
        linkname=_text(block[157:257]),
        magic=magic,
        uname=_text(block[265:297]) if magic[:5] == b"ustar" else b"",
        gname=_text(block[297:329]) if magic[:5] == b"ustar" else b"",
        device=_device(block, offset) if block[156:157] in b"34" else (0, 0),
    )


def _device(block: bytes, offset: int) -> tuple[int, int]:
    return parse_number(block[329:337], offset), parse_number(block[337:345], offset)


def parse_pax(data: bytes, offset: int) -> Iterator[tuple[bytes, bytes]]:
    """The (key, value) records of a pax header in order, repeated keys included. Raises TarError.

    A record is `LENGTH KEY=VALUE\\n`, LENGTH in decimal and counting itself (POSIX.1-2001, pax). libarchive
    refuses longer ones (archive_read_support_format_tar.c:header_pax_extension).
    """
    at = 0
    while at < len(data):
        blank = data.find(b" ", at, at + 12)
        digits = data[at:blank] if blank > 0 else b""
        if not digits.isdigit() or len(digits) > 6:
            raise TarError("a pax record does not begin with a length below 1000000", offset=offset + at)
        end = at + int(digits)
        key, equals, value = data[blank + 1 : end - 1].partition(b"=")
        if end > len(data) or data[end - 1 : end] != b"\n" or not equals or not key:
            raise TarError("a pax record is not `LENGTH KEY=VALUE` and a newline", offset=offset + at)
        yield key, value
        at = end


def padding(size: int) -> int:
    """How many bytes follow `size` bytes of content up to the next block."""
    return -size % BLOCK
