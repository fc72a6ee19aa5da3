"""Reads tar archives in one pass with flat memory: ustar, GNU (L, K, S), old tar, pax (x, g, sparse).

Nothing is repaired. What cannot be read raises `TarError`; what can be read but is not as it should be is
a `Problem` of the reader. Headers of the archive's own format are resolved into the member they describe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from builder.tar.background import run_ahead
from builder.tar.compression import Compression, Limits, Tally, decompress
from builder.tar.format import (
    BLOCK,
    GNU_LONG_LINK,
    GNU_LONG_NAME,
    GNU_SPARSE,
    GNU_VOLUME,
    PAX,
    PAX_GLOBAL,
    PAX_SUN,
    ZERO_BLOCK,
)
from builder.tar.member import Body, Extensions, Member, build_member, cut
from builder.tar.parse import Header, TarError, checksum_holds, padding, parse_header, parse_pax
from builder.tar.sparse import Region, check_map, parse_pax_map, read_gnu_map, read_pax_map
from builder.tar.window import Window

MAX_EXTENSION = 1 << 20
"""The largest long name or pax header that is read, in bytes; libarchive has the same limit."""


class Fault(Enum):
    """What can be wrong with an archive whose members can all be read."""

    NO_END = "no end-of-archive blocks"
    SHORT_END = "only one end-of-archive block"
    SECOND_ARCHIVE = "another archive follows the end of the first"
    TRAILING_DATA = "data follows the end of the archive"
    COMPRESSED_GARBAGE = "bytes that are not compressed data follow the compressed data"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """`fault` was found at `offset`, in bytes of the uncompressed archive."""

    fault: Fault
    offset: int


_LACKING = {
    Fault.NO_END: "whatever wrote it was stopped, or it was cut: make it again, or if nothing is missing,"
    " append the end that tar writes: head -c 1024 /dev/zero",
    Fault.SECOND_ARCHIVE: "only the first would be read: leave out the others, or join them with `tar -A`",
}


def judge_end(problems: Sequence[Problem]) -> tuple[str, str]:
    """What is wrong with an archive whose members were all read, in words, and the fix where members may be
    missing, or are there and not read; else "" for either."""
    found = "; ".join(f"{each.fault.value} (byte {each.offset})" for each in problems)
    return found, next((_LACKING[each.fault] for each in problems if each.fault in _LACKING), "")


class TarReader:
    """Iterates the members of one archive, once. `problems` is complete when the iteration has ended.

    `global_pax` holds the records of all `g` headers so far. They are not applied to members, because
    libarchive, with which WSL extracts, does not apply them either.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._window = Window(chunks)
        self._body: Body | None = None
        self.problems: list[Problem] = []
        self.global_pax: dict[bytes, bytes] = {}

    @property
    def offset(self) -> int:
        """How many bytes of the uncompressed archive have been read."""
        return self._window.offset

    def __iter__(self) -> Iterator[Member]:
        while (member := self._next()) is not None:
            self._body = member.body
            yield member
            member.body.close()
        self._read_rest()

    def _next(self) -> Member | None:
        """The next member, its long names and pax records applied; None at the end."""
        extensions = Extensions()
        while True:
            offset = self._window.offset
            block = self._window.take(BLOCK)
            if len(block) < BLOCK or block == ZERO_BLOCK:
                self._end(block, offset, extensions)
                return None
            header = self._header(block, offset)
            if not self._extend(header, extensions):
                return self._member(header, block, offset, extensions)

    def _header(self, block: bytes, offset: int) -> Header:
        if not checksum_holds(block):
            raise _no_archive(offset)
        header = parse_header(block, offset)
        if header.size < 0:
            raise TarError(f"a header has the size {header.size}", offset=offset)
        return header

    def _extend(self, header: Header, extensions: Extensions) -> bool:
        """Whether `header` describes the next member instead of being one; if so, take what it says."""
        match header.flag:
            case flag if flag == GNU_LONG_NAME:
                extensions.name = self._extension(header).split(b"\0", 1)[0]
            case flag if flag == GNU_LONG_LINK:
                extensions.linkname = self._extension(header).split(b"\0", 1)[0]
            case flag if flag in (PAX, PAX_SUN):
                start = self._window.offset
                extensions.records += parse_pax(self._extension(header), start)
            case flag if flag == PAX_GLOBAL:
                start = self._window.offset
                self.global_pax.update(parse_pax(self._extension(header), start))
            case flag if flag == GNU_VOLUME:
                self._skip(header.size)
            case _:
                return False
        return True

    def _extension(self, header: Header) -> bytes:
        offset = self._window.offset
        if header.size > MAX_EXTENSION:
            raise TarError(
                f"a long name or pax header has {header.size} bytes, at most 1 MiB is read", offset=offset
            )
        data = self._window.take(header.size)
        if len(data) < header.size:
            raise cut(self._window.offset)
        self._skip(padding(header.size))
        return data

    def _member(self, header: Header, block: bytes, offset: int, extensions: Extensions) -> Member:
        member = build_member(header, offset, extensions, self._at_header, self._window)
        if header.flag == GNU_SPARSE:
            regions, real_size = read_gnu_map(self._window, block, offset)
            return self._sparse(member, regions, real_size, member.size)
        if not extensions.records or (sparse := extensions.sparse(offset)) is None:
            return member
        real_size = member.size if sparse.real_size is None else sparse.real_size
        if not sparse.map_in_content:
            return self._sparse(member, parse_pax_map(extensions.records, offset), real_size, member.size)
        regions, taken = read_pax_map(self._window, member.size)
        return self._sparse(member, regions, real_size, member.size - taken)

    def _sparse(self, member: Member, regions: tuple[Region, ...], real_size: int, stored: int) -> Member:
        check_map(regions, stored, real_size, member.offset)
        return member._replace(size=real_size, body=Body(self._window, stored, regions, real_size))

    def _at_header(self) -> bool:
        """Whether a header, the end, or nothing comes next."""
        block = self._window.peek(BLOCK)
        return len(block) < BLOCK or block == ZERO_BLOCK or checksum_holds(block)

    def _skip(self, size: int) -> None:
        if self._window.skip(size) < size:
            raise cut(self._window.offset)

    def _end(self, block: bytes, offset: int, extensions: Extensions) -> None:
        """Judge the end of the archive, at whose first block, perhaps short, the reader is."""
        if 0 < len(block) < BLOCK and offset == 0:
            raise _no_archive(offset)
        if not extensions.empty or 0 < len(block) < BLOCK:
            raise cut(offset)
        if not block:
            self.problems.append(Problem(fault=Fault.NO_END, offset=offset))
        elif self._window.peek(BLOCK) != ZERO_BLOCK:
            self.problems.append(Problem(fault=Fault.SHORT_END, offset=offset))

    def _read_rest(self) -> None:
        """Read to the end of the stream, which also verifies it, and say what lies behind the archive."""
        while block := self._window.take(BLOCK):
            if block == ZERO_BLOCK[: len(block)]:
                continue
            second = len(block) == BLOCK and checksum_holds(block)
            fault = Fault.SECOND_ARCHIVE if second else Fault.TRAILING_DATA
            self.problems.append(Problem(fault=fault, offset=self._window.offset - len(block)))
            while self._window.skip(1 << 20):
                pass


def _no_archive(offset: int) -> TarError:
    """The block at `offset` is no header."""
    what = "a header has a wrong checksum" if offset else "is no tar archive"
    return TarError(what, offset=offset, fix="the archive is damaged or something else: make it anew")


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """An open archive. `tally` counts compressed and uncompressed bytes; complete when iteration ended."""

    compression: Compression
    reader: TarReader
    tally: Tally

    def problems(self) -> tuple[Problem, ...]:
        """What was found wrong, the compressed stream included."""
        found = tuple(self.reader.problems)
        if self.tally.garbage:
            found += (Problem(fault=Fault.COMPRESSED_GARBAGE, offset=self.reader.offset),)
        return found


@contextmanager
def open_archive(file: BinaryIO, limits: Limits | None = None) -> Iterator[Archive]:
    """Read the archive in `file`, decompressing in a thread that runs ahead.

    Raises CompressionError and TarError, here and while the members are iterated.
    """
    tally = Tally(limits=limits or Limits())
    compression, pieces = decompress(file, tally)
    with run_ahead(pieces) as chunks:
        yield Archive(compression=compression, reader=TarReader(chunks), tally=tally)


@contextmanager
def open_archive_file(path: Path, limits: Limits | None = None) -> Iterator[Archive]:
    """`open_archive` on the file at `path`; raises OSError when it cannot be opened."""
    with path.open("rb") as file, open_archive(file, limits) as archive:
        yield archive
