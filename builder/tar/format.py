"""Constants of the tar family: POSIX.1-1988 ustar, POSIX.1-2001 pax, GNU tar."""

from __future__ import annotations

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)

USTAR_MAGIC = b"ustar\x0000"
GNU_MAGIC = b"ustar  \x00"

REGULAR = b"0"
OLD_REGULAR = b"\x00"
HARDLINK = b"1"
SYMLINK = b"2"
CHAR = b"3"
BLOCK_DEVICE = b"4"
DIRECTORY = b"5"
FIFO = b"6"
CONTIGUOUS = b"7"
GNU_LONG_NAME = b"L"
GNU_LONG_LINK = b"K"
GNU_SPARSE = b"S"
GNU_VOLUME = b"V"
PAX = b"x"
PAX_SUN = b"X"
PAX_GLOBAL = b"g"

XATTR_KEY = b"SCHILY.xattr."
"""Prefix of the pax records that hold extended attributes, raw bytes as value (star, GNU tar, libarchive)."""
