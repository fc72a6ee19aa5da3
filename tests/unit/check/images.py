"""A small language that writes archives, right and wrong ones, byte by byte.

    image(directory("etc"), file("etc/passwd", "root:..."), symlink("bin", "usr/bin"))

Nothing is checked or completed: what is written is what a test says.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field

BLOCK = 512


@dataclass(frozen=True, kw_only=True)
class Item:
    """One member; `pax` becomes an extended header before it."""

    name: bytes
    flag: bytes = b"0"
    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 1_700_000_000
    target: bytes = b""
    uname: bytes = b""
    gname: bytes = b""
    device: tuple[int, int] = (0, 0)
    magic: bytes = b"ustar  \0"
    size: int | None = None
    pax: dict[bytes, bytes] = field(default_factory=dict)


def as_bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def file(name: str | bytes, data: str | bytes = b"", mode: int = 0o644, **fields: object) -> Item:
    return Item(name=as_bytes(name), data=as_bytes(data), mode=mode, **fields)  # type: ignore[arg-type]


def program(name: str | bytes, data: str | bytes = b"", mode: int = 0o755, **fields: object) -> Item:
    return file(name, data, mode, **fields)


def directory(name: str | bytes, mode: int = 0o755, **fields: object) -> Item:
    return Item(name=as_bytes(name), flag=b"5", mode=mode, **fields)  # type: ignore[arg-type]


def symlink(name: str | bytes, target: str | bytes, **fields: object) -> Item:
    return Item(name=as_bytes(name), flag=b"2", mode=0o777, target=as_bytes(target), **fields)  # type: ignore[arg-type]


def hardlink(name: str | bytes, target: str | bytes, **fields: object) -> Item:
    return Item(name=as_bytes(name), flag=b"1", target=as_bytes(target), **fields)  # type: ignore[arg-type]


def node(name: str | bytes, flag: bytes = b"3", device: tuple[int, int] = (1, 3)) -> Item:
    return Item(name=as_bytes(name), flag=flag, device=device)


def xattr(item: Item, name: str, value: bytes) -> Item:
    return pax(item, {b"SCHILY.xattr." + name.encode(): value})


def pax(item: Item, records: dict[bytes, bytes]) -> Item:
    return Item(**{**item.__dict__, "pax": {**item.pax, **records}})


def octal(value: int, width: int) -> bytes:
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return b"\x80" + (value & ((1 << (8 * width - 8)) - 1)).to_bytes(width - 1, "big")


def header(item: Item, size: int) -> bytes:
    """One header block; what does not fit is cut."""
    prefix = b""
    name = item.name
    if item.magic == b"ustar\x0000" and len(name) > 100 and (at := name.rfind(b"/", 0, 156)) > 0:
        prefix, name = name[:at], name[at + 1 :]
    fields = (
        name[:100].ljust(100, b"\0")
        + octal(item.mode, 8)
        + octal(item.uid, 8)
        + octal(item.gid, 8)
        + octal(size, 12)
        + octal(item.mtime, 12)
        + b" " * 8
        + item.flag
        + item.target[:100].ljust(100, b"\0")
        + item.magic
        + item.uname.ljust(32, b"\0")
        + item.gname.ljust(32, b"\0")
        + octal(item.device[0], 8)
        + octal(item.device[1], 8)
        + prefix.ljust(155, b"\0")
    ).ljust(BLOCK, b"\0")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def special(flag: bytes, data: bytes) -> bytes:
    """A header of the format itself: a long name, pax records."""
    return header(Item(name=b"././@LongLink", flag=flag), len(data)) + padded(data)


def record(key: bytes, value: bytes) -> bytes:
    """One pax record, its length included in its length."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def write(item: Item) -> bytes:
    """The bytes of one member with the headers before it."""
    out = b""
    if item.pax:
        out += special(b"x", b"".join(record(*pair) for pair in item.pax.items()))
    if len(item.name) > 100 and item.magic == b"ustar  \0":
        out += special(b"L", item.name + b"\0")
    if len(item.target) > 100:
        out += special(b"K", item.target + b"\0")
    return out + header(item, len(item.data) if item.size is None else item.size) + padded(item.data)


def archive(*items: Item, end: bytes = bytes(2 * BLOCK)) -> bytes:
    """A plain tar."""
    return b"".join(write(item) for item in items) + end


def image(*items: Item) -> bytes:
    """A gzip-compressed tar, as images are."""
    return gzip.compress(archive(*items), 1, mtime=0)
