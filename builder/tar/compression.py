"""Compressed streams, told apart by their first bytes as libarchive does, never by a name.

What is read: gzip (any number of members), xz, bzip2, zstd, none. A stream that grows suspiciously is cut:
see `Limits`.
"""

from __future__ import annotations

import zlib
from bz2 import BZ2Decompressor
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from enum import Enum
from lzma import FORMAT_XZ, LZMADecompressor, LZMAError
from typing import BinaryIO

import zstandard

from builder.core.errors import ExitCode, WslimgError

READ_SIZE = 1 << 18
PIECE_SIZE = 1 << 20
ZSTD_FEED = 1 << 11
"""zstandard has no limit for the output of one call; 2 KiB of input unfold to 64 MiB at most."""


class Compression(Enum):
    """How a stream is compressed; the value is its usual name."""

    NONE = "none"
    GZIP = "gzip"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZSTD = "zstd"


MAGICS: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", Compression.GZIP),
    (b"\xfd7zXZ\x00", Compression.XZ),
    (b"BZh", Compression.BZIP2),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
)
MAGIC_SIZE = 6


class CompressionError(WslimgError):
    """The compressed bytes are cut, corrupt, or unfold beyond the limits. `offset` is in compressed bytes."""

    exit_code = ExitCode.CHECK

    def __init__(self, message: str, *, offset: int, fix: str = "") -> None:
        super().__init__(message, where=f"byte {offset} of the file", fix=fix)
        self.offset = offset

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.message, self.offset, self.fix))


def _rebuild(message: str, offset: int, fix: str) -> CompressionError:
    return CompressionError(message, offset=offset, fix=fix)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """A stream may unfold to `free` bytes; beyond, to no more than `ratio` times its compressed size.

    Root file systems reach ratios of 2 to 6; gzip cannot exceed 1032, xz and zstd can exceed 10000.
    """

    free: int = 1 << 30
    ratio: int = 250

    def exceeded(self, read: int, written: int) -> bool:
        """Whether `read` compressed bytes must not unfold to `written`."""
        return written > self.free and written > self.ratio * read


NO_LIMITS = Limits(free=1 << 60)
"""For what is known to be no bomb."""


@dataclass(kw_only=True, slots=True)
class Tally:
    """What was seen of a stream so far: bytes in and out, members, ignored bytes behind the last one."""

    read: int = 0
    written: int = 0
    members: int = 0
    garbage: int = 0
    limits: Limits = field(default_factory=Limits)

    def count(self, piece: bytes) -> bytes:
        """Count a decompressed piece. Raises CompressionError beyond the limits."""
        self.written += len(piece)
        if self.limits.exceeded(self.read, self.written):
            raise CompressionError(
                f"unfolds to more than {self.limits.ratio} times its size (stopped at byte {self.written})",
                offset=self.read,
                fix="this is a decompression bomb, or holds a huge file of zeros: leave it out",
            )
        return piece


_Unfolder = Callable[[bytes, Iterator[bytes], Tally], Generator[bytes, None, bytes]]
"""Unfolds one member that begins with the first argument, and returns what was read beyond its end."""


def detect(start: bytes) -> Compression:
    """The compression of a stream whose first bytes are `start` (MAGIC_SIZE are enough)."""
    for magic, compression in MAGICS:
        if start.startswith(magic):
            return compression
    return Compression.NONE


def decompress(file: BinaryIO, tally: Tally) -> tuple[Compression, Iterator[bytes]]:
    """The compression of `file`, and its content in pieces of about 1 MiB. The pieces raise CompressionError.

    Bytes behind the last member that begin no other one are ignored, as bsdtar and gzip do, and counted.
    """
    start = file.read(READ_SIZE)
    compression = detect(start)
    blocks = _blocks(file, start, tally)
    if compression is Compression.NONE:
        return compression, map(tally.count, blocks)
    return compression, _unfold(blocks, _MEMBERS[compression], compression, tally)


def _blocks(file: BinaryIO, start: bytes, tally: Tally) -> Iterator[bytes]:
    block = start
    while block:
        tally.read += len(block)
        yield block
        block = file.read(READ_SIZE)


def _unfold(
    blocks: Iterator[bytes], member: _Unfolder, compression: Compression, tally: Tally
) -> Iterator[bytes]:
    magic = next(magic for magic, kind in MAGICS if kind is compression)
    rest = next(blocks, b"")
    while rest:
        tally.members += 1
        rest = yield from member(rest, blocks, tally)
        while len(rest) < len(magic) and (more := next(blocks, b"")):
            rest += more
        if not rest.startswith(magic):
            tally.garbage += _drain(rest, blocks)
            return


def _drain(rest: bytes, blocks: Iterator[bytes]) -> int:
    """Read to the end; how many bytes were no zero padding."""
    garbage = 0
    while rest:
        garbage += len(rest) if rest.count(0) != len(rest) else 0
        rest = next(blocks, b"")
    return garbage


def _next(blocks: Iterator[bytes], tally: Tally) -> bytes:
    block = next(blocks, b"")
    if not block:
        raise CompressionError(
            "ends in the middle of its compressed data",
            offset=tally.read,
            fix="the file was cut: copy or download it again and compare its sha256",
        )
    return block


def _corrupt(compression: Compression, error: Exception, tally: Tally) -> CompressionError:
    return CompressionError(
        f"is corrupt {compression.value} data: {error}",
        offset=tally.read,
        fix="the file was altered: copy or download it again and compare its sha256",
    )


def _unfold_gzip(data: bytes, blocks: Iterator[bytes], tally: Tally) -> Generator[bytes, None, bytes]:
    decoder = zlib.decompressobj(31)
    try:
        while not decoder.eof:
            if piece := decoder.decompress(data, PIECE_SIZE):
                yield tally.count(piece)
            data = decoder.unconsumed_tail
            if not data and not decoder.eof and len(piece) < PIECE_SIZE:
                data = _next(blocks, tally)
    except zlib.error as error:
        raise _corrupt(Compression.GZIP, error, tally) from None
    return decoder.unused_data


def _unfold_with(new: Callable[[], BZ2Decompressor | LZMADecompressor], kind: Compression) -> _Unfolder:
    def unfold(data: bytes, blocks: Iterator[bytes], tally: Tally) -> Generator[bytes, None, bytes]:
        decoder = new()
        try:
            while not decoder.eof:
                if piece := decoder.decompress(data, PIECE_SIZE):
                    yield tally.count(piece)
                data = _next(blocks, tally) if decoder.needs_input and not decoder.eof else b""
        except (OSError, LZMAError) as error:
            raise _corrupt(kind, error, tally) from None
        return decoder.unused_data

    return unfold


def _unfold_zstd(data: bytes, blocks: Iterator[bytes], tally: Tally) -> Generator[bytes, None, bytes]:
    decoder = zstandard.ZstdDecompressor().decompressobj()
    try:
        while True:
            for at in range(0, len(data), ZSTD_FEED):
                if piece := decoder.decompress(data[at : at + ZSTD_FEED]):
                    yield tally.count(piece)
                if decoder.eof:
                    return decoder.unused_data + data[at + ZSTD_FEED :]
            data = _next(blocks, tally)
    except zstandard.ZstdError as error:
        raise _corrupt(Compression.ZSTD, error, tally) from None


_MEMBERS: dict[Compression, _Unfolder] = {
    Compression.GZIP: _unfold_gzip,
    Compression.XZ: _unfold_with(lambda: LZMADecompressor(FORMAT_XZ), Compression.XZ),
    Compression.BZIP2: _unfold_with(BZ2Decompressor, Compression.BZIP2),
    Compression.ZSTD: _unfold_zstd,
}
