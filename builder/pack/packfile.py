"""One pack: compressed segments one after the other, and beside it the rows that say what lies where.

Both files only ever grow. A row is written after its bytes, with one call and a checksum of its own, and the
bytes are checked against the row whenever they are read: whatever a crash leaves behind is found and ignored.
Rows lie on a grid, so that one that is torn costs no other.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import deflate

from builder.pack.compress import Bytes
from builder.pack.output import write_full

_ROW = struct.Struct("<32sQQI")
_CHECK = struct.Struct("<I")
ROW_SIZE = _ROW.size + _CHECK.size
_BOTH_WAYS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Row(NamedTuple):
    """The segment `key`: `length` bytes at `offset` of the pack, with the CRC-32 `crc`."""

    key: bytes
    offset: int
    length: int
    crc: int


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of the pack `path` (`NAME.pack`) that are whole; none if they cannot be read."""
    try:
        data = _rows_of(path).read_bytes()
    except OSError:
        return
    for at in range(0, len(data) - ROW_SIZE + 1, ROW_SIZE):
        body = data[at : at + _ROW.size]
        if _CHECK.pack(crc32(body)) == data[at + _ROW.size : at + ROW_SIZE]:
            yield Row(*_ROW.unpack(body))


def append_row(path: Path, row: Row) -> None:
    """Add `row` to the pack `path`; any process may, as short appends do not mix. The start of a row that a
    crash or a full disk has left is filled up before. Raises OSError, above all if the pack was deleted."""
    body = _ROW.pack(*row)
    file = os.open(_rows_of(path), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        missing = -os.fstat(file).st_size % ROW_SIZE
        write_full(file, bytes(missing) + body + _CHECK.pack(crc32(body)))
    finally:
        os.close(file)


class PackReader:
    """Reads one pack; stays readable when the pack is pruned meanwhile. Raises OSError if it is gone."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, row: Row) -> bytes | None:
        """The bytes of `row`, None if they are not what the row says. Raises OSError."""
        data = os.pread(self._file, row.length, row.offset)
        return data if len(data) == row.length and checksum(data) == row.crc else None

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)


class PackWriter:
    """Appends to one pack, which it holds locked: each of several builds writes to a pack of its own."""

    def __init__(self, path: Path) -> None:
        """Raises BlockingIOError if another process writes to it, OSError if it cannot be written, or not be
        read later."""
        self.path = path
        self._file = os.open(path, _BOTH_WAYS, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(self._file)
            if not status.st_nlink:
                raise FileNotFoundError(errno.ENOENT, "pruned between being opened and being locked")
            self.size = status.st_size
            os.close(os.open(_rows_of(path), _BOTH_WAYS, 0o644))
        except OSError:
            os.close(self._file)
            raise

    def append(self, key: bytes, data: Bytes) -> Row:
        """Store `data`; returns its row, which is written as well. Raises OSError."""
        row = Row(key, self.size, len(data), checksum(data))
        write_full(self._file, data)
        self.size += len(data)
        append_row(self.path, row)
        return row

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)


def touch_pack(path: Path) -> None:
    """Let the pack `path` and its rows count as used now, wherever that can be noted."""
    for part in (path, _rows_of(path)):
        with suppress(OSError):
            os.utime(part)


def delete_pack(path: Path) -> int:
    """Delete the pack `path` with its rows, rows first; how many bytes are free now. Raises OSError."""
    freed = 0
    for part in (_rows_of(path), path):
        with suppress(FileNotFoundError, IsADirectoryError):
            size = part.lstat().st_size
            part.unlink()
            freed += size
    return freed


def delete_unused_pack(path: Path) -> int:
    """Do as `delete_pack`, unless some process holds `path` open as a `PackWriter`; none can meanwhile."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return delete_pack(path)  # rows may be left of it
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return delete_pack(path)
    except BlockingIOError:
        return 0
    finally:
        os.close(file)


def checksum(data: Bytes) -> int:
    """The CRC-32 of `data`, at the speed of memory."""
    return int(deflate.crc32(data))


def new_pack(folder: Path) -> Path:
    """A path for another pack in `folder`."""
    return folder / f"{secrets.token_hex(8)}.pack"


def _rows_of(path: Path) -> Path:
    return path.with_suffix(".rows")
