"""One member of an archive: its header, what extension headers replaced of it, and its content."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from builder.model.entry import Kind
from builder.tar.format import (
    GNU_MAGIC,
    HARDLINK,
    OLD_REGULAR,
    XATTR_KEY,
)
from builder.tar.parse import Header, TarError, padding
from builder.tar.sparse import Region, expand, stored_parts
from builder.tar.window import Window

_LIBARCHIVE_XATTR = b"LIBARCHIVE.xattr."
_KINDS = {
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHAR,
    b"4": Kind.BLOCK,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
    b"D": Kind.DIRECTORY,
}
_WITHOUT_CONTENT = frozenset((b"2", b"3", b"4", b"5", b"6"))


class Body:
    """The content of the current member, read forward once, zeros in its holes. Raises TarError if cut."""

    __slots__ = ("_carry", "_end", "_pieces", "_regions", "_stored_end", "_window", "size")

    def __init__(
        self, window: Window, stored: int, regions: tuple[Region, ...] | None = None, size: int | None = None
    ) -> None:
        self.size = stored if size is None else size
        self._window = window
        self._stored_end = window.offset + stored
        self._end = self._stored_end + padding(stored)
        self._carry = b""
        self._regions = regions
        self._pieces = None if regions is None else expand(window, regions, self.size)

    def read(self, size: int) -> bytes:
        """The next `size` bytes of the content, fewer only at its end."""
        if self._pieces is None:
            wanted = min(size, self._stored_end - self._window.offset)
            data = self._window.take(wanted)
            if len(data) < wanted:
                raise cut(self._window.offset)
            return data
        return self._read_sparse(self._pieces, size)

    def chunks(self) -> Iterator[bytes]:
        """The rest of the content, in pieces of at most 1 MiB or so."""
        while chunk := self.read(1 << 20):
            yield chunk

    def parts(self) -> Iterator[tuple[int, bytes]]:
        """All that is stored of the content, each piece with its offset in the file; elsewhere are zeros.
        Instead of `read`: what that returned is not returned again."""
        regions = (Region(0, self.size),) if self._regions is None else self._regions
        yield from stored_parts(self._window, regions)
        if self._window.offset < self._stored_end:
            raise cut(self._window.offset)

    def close(self) -> None:
        """Move to the next header."""
        left = self._end - self._window.offset
        if self._window.skip(left) < left:
            raise cut(self._window.offset)

    def _read_sparse(self, pieces: Iterator[bytes], size: int) -> bytes:
        parts, there = [self._carry], len(self._carry)
        while there < size and (piece := next(pieces, b"")):
            parts.append(piece)
            there += len(piece)
        data = b"".join(parts)
        self._carry = data[size:]
        return data[:size]


def cut(offset: int) -> TarError:
    """The archive ends at `offset`, inside a member."""
    return TarError(
        "the archive ends in the middle of a member",
        offset=offset,
        fix="the file was cut: copy or make it again and compare its sha256",
    )


class Member(NamedTuple):
    """A member as the archive says it, nothing normalised.

    `name` and `linkname` are the raw bytes (leading `./` or `/` and a trailing slash included), `flag` the
    type flag, `mode` all bits of the field, `size` the bytes of the content with its holes, `mtime` whole
    seconds, `pax` the records of the member's own pax header, `xattrs` sorted, `offset` that of the header.
    """

    name: bytes
    flag: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    linkname: bytes
    uname: bytes
    gname: bytes
    device: tuple[int, int]
    xattrs: tuple[tuple[bytes, bytes], ...]
    pax: dict[bytes, bytes]
    offset: int
    body: Body

    @property
    def kind(self) -> Kind:
        """What is extracted: unknown flags are files (POSIX), old tar marks directories by a slash."""
        if self.flag in (b"0", OLD_REGULAR) and self.name.endswith(b"/"):
            return Kind.DIRECTORY
        return _KINDS.get(self.flag, Kind.FILE)


class SparsePax(NamedTuple):
    """What pax records say of a sparse file; `map_in_content` is format 1.0."""

    real_size: int | None
    map_in_content: bool


@dataclass(kw_only=True, slots=True)
class Extensions:
    """What the headers before a member say about it."""

    name: bytes | None = None
    linkname: bytes | None = None
    records: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether no header came before the member."""
        return self.name is None and self.linkname is None and not self.records

    def sparse(self, offset: int) -> SparsePax | None:
        """What the records say of a sparse file; None for any other."""
        pax = dict(self.records)
        if not any(key.startswith(b"GNU.sparse.") for key in pax):
            return None
        size = pax.get(b"GNU.sparse.realsize", pax.get(b"GNU.sparse.size"))
        return SparsePax(None if size is None else _decimal(size, offset), b"GNU.sparse.major" in pax)


def build_member(
    header: Header, offset: int, extensions: Extensions, next_is_header: Callable[[], bool], window: Window
) -> Member:
    """The member that `header` and what came before it describe. Raises TarError.

    A record replaces a long name, a long name the header's. `next_is_header` decides whether a hard link
    of unknown dialect has content, as libarchive does (archive_read_support_format_tar.c:header_common).
    """
    pax = dict(extensions.records)
    size = _decimal(pax[b"size"], offset) if b"size" in pax else header.size
    if header.flag in _WITHOUT_CONTENT:
        size = 0
    elif header.flag == HARDLINK and size and not pax:
        bodiless = header.magic == GNU_MAGIC or not header.magic.startswith(b"ustar") or next_is_header()
        size = 0 if bodiless else size
    return Member(
        name=pax.get(b"GNU.sparse.name") or pax.get(b"path") or _first(extensions.name, header.name),
        flag=header.flag,
        mode=header.mode,
        uid=_decimal(pax[b"uid"], offset) if b"uid" in pax else header.uid,
        gid=_decimal(pax[b"gid"], offset) if b"gid" in pax else header.gid,
        size=size,
        mtime=_seconds(pax[b"mtime"], offset) if b"mtime" in pax else header.mtime,
        linkname=pax.get(b"linkpath") or _first(extensions.linkname, header.linkname),
        uname=pax.get(b"uname", header.uname),
        gname=pax.get(b"gname", header.gname),
        device=header.device,
        xattrs=_xattrs(pax, offset) if pax else (),
        pax=pax,
        offset=offset,
        body=Body(window, size),
    )


def _first(value: bytes | None, other: bytes) -> bytes:
    return other if value is None else value


def _xattrs(pax: dict[bytes, bytes], offset: int) -> tuple[tuple[bytes, bytes], ...]:
    """SCHILY records hold raw values, LIBARCHIVE ones are encoded; the raw ones win."""
    found: dict[bytes, bytes] = {}
    for key, value in pax.items():
        if key.startswith(_LIBARCHIVE_XATTR):
            try:
                decoded = b64decode(value + b"=" * (-len(value) % 4))
            except Base64Error:
                raise TarError(f"the record {key!r} is no base64", offset=offset) from None
            found[unquote_to_bytes(key[len(_LIBARCHIVE_XATTR) :])] = decoded
    found |= {key[len(XATTR_KEY) :]: value for key, value in pax.items() if key.startswith(XATTR_KEY)}
    return tuple(sorted(found.items()))


def _decimal(text: bytes, offset: int) -> int:
    if not text.isdigit() or len(text) > 20:
        raise TarError(f"a pax record has {text[:40]!r}, expected a decimal number", offset=offset)
    return int(text)


def _seconds(text: bytes, offset: int) -> int:
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    if fraction and not fraction.isdigit():
        raise TarError(f"a pax record has the time {text[:40]!r}", offset=offset)
    seconds = _decimal(whole.removeprefix(b"-"), offset)
    return -seconds - bool(fraction.strip(b"0")) if negative else seconds
