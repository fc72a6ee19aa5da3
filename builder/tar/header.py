"""Header blocks by hand: ustar, with GNU long names and base-256 numbers, pax for extended attributes alone.

Names are raw bytes and never stand in a pax record: libarchive converts a pax `path` between character sets
and exits with an error where it cannot, which WSL takes for a failed import (microsoft/WSL
src/linux/init/main.cpp: ImportFromSocket; libarchive archive_read_support_format_tar.c: pax_attribute).
Owners are numbers with empty names, so that no user database has a say.
"""

from __future__ import annotations

import re
import struct
from zlib import adler32

from builder.core.errors import PackError
from builder.model.entry import Entry, Kind
from builder.tar.format import (
    BLOCK_DEVICE,
    CHAR,
    GNU_LONG_LINK,
    GNU_LONG_NAME,
    PAX,
    USTAR_MAGIC,
    XATTR_KEY,
)
from builder.tar.parse import padding

_BLOCK = struct.Struct("100s48s8ss100s8s64x16s155s12x").pack
_NUMBERS = b"%07o\0%07o\0%07o\0%011o\0%011o\0"
_BLANK = sum(b"        ")
"""What the field of the checksum adds to the checksum."""

_MAX_OCTAL = {8: 1 << 21, 12: 1 << 33}
_IMPOSSIBLE = re.compile(rb"\0|(?:\A|/)(?:\.\.?)?(?:/|\Z)|[^/]{256}")
_FLAGS = {kind: kind.value for kind in Kind}
_DEVICES = (CHAR, BLOCK_DEVICE)
_IDS = range(1 << 32)
_SIZES = range(1 << 63)
_TIMES = range(-1 << 63, 1 << 63)
_OWNER = Entry(path=b"", kind=Kind.FILE, mode=0o644)
_MAX_PATH = 4095
"""PATH_MAX of Linux without its NUL."""


def pack_headers(entry: Entry) -> bytes:
    """The blocks that describe `entry`, as they precede its content. Raises PackError."""
    name = member_name(entry)
    extensions = b""
    if entry.xattrs or len(name) > 100 or len(entry.target) > 100:
        extensions = pack_extensions(entry, name, split=True)
    return extensions + pack_block(name, entry, _FLAGS[entry.kind], entry.size)


def pack_extensions(entry: Entry, name: bytes, *, split: bool) -> bytes:
    """Extended attributes, and names longer than 100 bytes; with `split` the block can use ustar's prefix."""
    parts = [_pax_xattrs(entry)] if entry.xattrs else []
    if len(entry.target) > 100:
        parts.append(_long(GNU_LONG_LINK, entry.target))
    if len(name) > 100 and not (split and split_name(name)[0]):
        parts.append(_long(GNU_LONG_NAME, name))
    return b"".join(parts)


def pack_block(name: bytes, entry: Entry, flag: bytes, size: int) -> bytes:
    """One header block with `size` as the length of what follows; a longer name is cut."""
    prefix, short = split_name(name) if len(name) > 100 else (b"", name)
    return pack_fields(short, entry, flag, size, USTAR_MAGIC, prefix)


def pack_fields(name: bytes, entry: Entry, flag: bytes, size: int, magic: bytes, last: bytes) -> bytes:
    """One header block; `last` are its bytes from 345 on, at most 155: what they mean depends on `magic`."""
    numbers = _numbers(entry, size)
    target = entry.target[:100]
    device = _device(entry) if flag in _DEVICES else b""
    text = b"".join((name, numbers, flag, target, magic, device, last))
    # adler32's low half is 1 + the sum of the bytes modulo 65521, which 512 ASCII bytes do not reach.
    total = _BLANK + ((adler32(text) & 0xFFFF) - 1 if text.isascii() else sum(text))
    return _BLOCK(name, numbers, b"%06o\0 " % total, flag, target, magic, device, last)


def _numbers(entry: Entry, size: int) -> bytes:
    """The fields from the mode to the time; in one go where all fit as octal."""
    mode, uid, gid, mtime = entry.mode & 0o7777, entry.uid, entry.gid, entry.mtime
    if 0 <= uid | gid < 1 << 21 and 0 <= mtime | size < 1 << 33:
        return _NUMBERS % (mode, uid, gid, size, mtime)
    _require(entry, "uid", uid, _IDS)
    _require(entry, "gid", gid, _IDS)
    _require(entry, "size", size, _SIZES)
    _require(entry, "time", mtime, _TIMES)
    owner = pack_number(uid, 8) + pack_number(gid, 8)
    return b"%07o\0%b%b%b" % (mode, owner, pack_number(size, 12), pack_number(mtime, 12))


def _require(entry: Entry, what: str, value: int, possible: range) -> None:
    """Raise PackError for a number that Linux does not know: GNU tar fails on it."""
    if value not in possible:
        raise PackError(
            f"has the {what} {value}, expected {possible.start} to {possible.stop - 1}",
            where=printable(entry.path),
            fix="correct it in the root file system",
        )


def pack_number(value: int, width: int) -> bytes:
    """`value` as octal text, or as GNU's base-256 where it is negative or too large for `width` bytes."""
    if 0 <= value < _MAX_OCTAL[width]:
        return b"%0*o\0" % (width - 1, value)
    number = bytearray(value.to_bytes(width, "big", signed=True))
    number[0] |= 0x80
    return bytes(number)


def split_name(name: bytes) -> tuple[bytes, bytes]:
    """(prefix, name) of ustar; what fits in neither is cut and must be preceded by a GNU long name."""
    slash = name.find(b"/", len(name) - 101, -1) if len(name) <= 256 else -1
    return (name[:slash], name[slash + 1 :]) if 0 < slash <= 155 else (b"", name[:100])


def member_name(entry: Entry) -> bytes:
    """The name of `entry` in the archive, directories with a slash. Raises PackError if there can be none."""
    path = entry.path
    if not path and entry.kind is Kind.DIRECTORY:
        return b"./"
    if _is_suspect(path) and (_IMPOSSIBLE.search(path) or len(path) > _MAX_PATH):
        raise PackError(
            f"no archive for WSL can hold this name: {_reason(path)}",
            where=printable(path),
            fix="rename or remove it in the root file system",
        )
    if entry.target and (b"\0" in entry.target or len(entry.target) > _MAX_PATH):
        raise PackError(
            f"links to a name of {len(entry.target)} bytes, expected at most {_MAX_PATH} without a NUL byte",
            where=printable(path),
            fix="remove the link",
        )
    return path + b"/" if entry.kind is Kind.DIRECTORY else path


def printable(path: bytes) -> str:
    """`path` for a message: absolute, what is not UTF-8 or not printable as escapes."""
    text = path.decode("utf-8", "backslashreplace")
    return "/" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _long(flag: bytes, value: bytes) -> bytes:
    """A GNU `L` or `K` member: the whole name or link target of the member that follows."""
    body = value + b"\0"
    return pack_block(b"././@LongLink", _OWNER, flag, len(body)) + body + bytes(padding(len(body)))


def _pax_xattrs(entry: Entry) -> bytes:
    body = b"".join(_record(entry, name, value) for name, value in entry.xattrs)
    return pack_block(b"PaxHeaders", _OWNER, PAX, len(body)) + body + bytes(padding(len(body)))


def _record(entry: Entry, name: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE\\n`, where LENGTH counts its own digits (POSIX pax)."""
    if b"=" in name or b"\0" in name:
        raise PackError(
            f"has the extended attribute {printable(name)[1:]!r}, whose name no archive can hold",
            where=printable(entry.path),
            fix="remove the attribute: setfattr -x",
        )
    key = XATTR_KEY + name
    rest = len(key) + len(value) + 3
    length = rest + 1
    while rest + len(str(length)) != length:
        length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _device(entry: Entry) -> bytes:
    for number in entry.device:
        _require(entry, "device number", number, _IDS)
    return pack_number(entry.device[0], 8) + pack_number(entry.device[1], 8)


def _is_suspect(path: bytes) -> bool:
    """Whether a name is worth a closer look; cheaper than the look, which few need."""
    framed = b"/" + path + b"/"
    return framed.find(b"/.") >= 0 or framed.find(b"//") >= 0 or 0 in path or len(path) > 255


def _reason(path: bytes) -> str:
    if b"\0" in path:
        return "it contains a NUL byte"
    if any(len(part) > 255 for part in path.split(b"/")):
        return "a part of it is longer than 255 bytes"
    if len(path) > _MAX_PATH:
        return f"it is {len(path)} bytes long, Linux opens at most {_MAX_PATH}"
    return "a part of it is empty, `.` or `..`"
