"""The compressors as data: each turns one segment into bytes that readers accept one after the other.

All are deterministic for one version of their library, which is why `name` holds it; libdeflate changes its
output between versions (ebiggers/libdeflate issue 400).
"""

from __future__ import annotations

import ctypes
import lzma
import platform
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import deflate
import zstandard

from builder.core.errors import UsageError
from builder.pack.settings import Kind, PackSettings, Preset

Bytes = bytes | bytearray | memoryview

DICTIONARY = 32 << 10
"""How far deflate looks back, in bytes."""

_LEVELS = {Preset.FAST: 1, Preset.DEFAULT: 5, Preset.SMALL: 9}
_STREAM_LEVELS = {Preset.FAST: 1, Preset.DEFAULT: 6, Preset.SMALL: 9}
_MIB = 1 << 20
_NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compressor:
    """`name` holds program, version and level; segments have about `target` bytes.

    `compress(segment, before)` may run in many threads. With `chained`, `before` is the end of the segment
    before (`DICTIONARY` bytes) and the image is one stream between `head` and `tail(crc32, size)`, those of
    the whole archive; without, `before` is empty, and what comes out depends on the segment alone. `expand`
    is the inverse then, or None for what nothing can be made of.
    """

    name: str
    target: int
    compress: Callable[[memoryview, bytes], Bytes]
    expand: Callable[[Bytes], bytearray | None] = bytearray
    chained: bool = False
    head: bytes = b""
    tail: Callable[[int, int], bytes] = lambda _crc, _size: b""

    @property
    def cacheable(self) -> bool:
        """Whether compressed segments are worth keeping, and the same wherever they stand."""
        return not self.chained and self.name != _NONE


def choose_compressor(settings: PackSettings) -> Compressor:
    """The compressor that `settings` ask for. Raises UsageError."""
    if settings.single_member and settings.kind is not Kind.GZIP:
        raise UsageError(
            f"a single member was asked for with {settings.kind.value}, only gzip has members",
            fix="leave out --single-member, or use gzip",
        )
    match settings.kind:
        case Kind.GZIP if settings.single_member:
            return _gzip_stream(_STREAM_LEVELS[settings.preset])
        case Kind.GZIP:
            return _gzip_members(_LEVELS[settings.preset])
        case Kind.XZ:
            return Compressor(
                name=f"xz: {_lzma_version()}, preset {_XZ_PRESET}",
                target=8 * _MIB,
                compress=_xz,
                expand=_expand_xz,
            )
        case Kind.ZSTD:
            return Compressor(
                name=f"zstd: {_zstd_version()}, level {_ZSTD_LEVEL}",
                target=4 * _MIB,
                compress=_zstd,
                expand=_expand_zstd,
            )
        case Kind.NONE:
            return Compressor(name=_NONE, target=_MIB, compress=lambda data, _before: bytes(data))


def _gzip_members(level: int) -> Compressor:
    """One gzip member a segment, by libdeflate: smaller than zlib's best at a tenth of its time."""
    return Compressor(
        name=f"gzip: deflate {deflate.__version__}, level {level}",
        target=_MIB,
        compress=lambda data, _before: deflate.gzip_compress(data, level),
        expand=_expand_gzip,
    )


def _expand_gzip(data: Bytes) -> bytearray | None:
    with suppress(deflate.DeflateError, ValueError):
        return deflate.gzip_decompress(data)
    return None


def _gzip_stream(level: int) -> Compressor:
    """One gzip member in all, by zlib: libdeflate cannot end a segment without ending the stream."""
    return Compressor(
        name=f"gzip, one member: zlib {zlib.ZLIB_RUNTIME_VERSION}, level {level}",
        target=_MIB,
        compress=partial(_deflate_part, level),
        chained=True,
        head=b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff",
        tail=_gzip_tail,
    )


def _deflate_part(level: int, data: memoryview, before: bytes) -> bytes:
    """Blocks of deflate that end at a byte and may refer back into `before`."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -15, zdict=before)
    return stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)


def _gzip_tail(crc: int, size: int) -> bytes:
    """An empty last block, then the trailer of RFC 1952."""
    return b"\x03\x00" + struct.pack("<II", crc, size & 0xFFFFFFFF)


_XZ_PRESET = 6
_ZSTD_LEVEL = 9


def _lzma_version() -> str:
    """Python does not tell; its own version stands for a library that it brings along."""
    with suppress(OSError, AttributeError):
        tell = ctypes.CDLL("liblzma.so.5").lzma_version_string
        tell.restype = ctypes.c_char_p
        return f"liblzma {tell().decode()}, Python {platform.python_version()}"
    return f"Python {platform.python_version()}"


def _xz(data: memoryview, _before: bytes) -> bytes:
    return lzma.compress(data, check=lzma.CHECK_CRC32, preset=_XZ_PRESET)


def _expand_xz(data: Bytes) -> bytearray | None:
    with suppress(lzma.LZMAError):
        return bytearray(lzma.decompress(data))
    return None


def _zstd(data: memoryview, _before: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(data)


def _expand_zstd(data: Bytes) -> bytearray | None:
    with suppress(zstandard.ZstdError):
        return bytearray(zstandard.ZstdDecompressor().decompress(data))
    return None


def _zstd_version() -> str:
    return ".".join(map(str, zstandard.ZSTD_VERSION))
