"""One pack: compressed segments one after the other, and beside it the rows that say what lies where.

Both files only ever grow. A row is written after its bytes, with one call and a checksum of its own, and the
bytes are checked against the row whenever they are read: whatever a crash leaves behind is found and ignored.
"""

from __future__ import annotations

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


class Row(NamedTuple):
    """The segment `key`: `length` bytes at `offset` of the pack, with the CRC-32 `crc`."""

    key: bytes
    offset: int
    length: int
    crc: int


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of the pack `path` (`NAME.pack`) that are whole; none if there is no such pack."""
    try:
        data = path.with_suffix(".rows").read_bytes()
    except FileNotFoundError:
        return
    for at in range(0, len(data) - ROW_SIZE + 1, ROW_SIZE):
        body = data[at : at + _ROW.size]
        if _CHECK.pack(crc32(body)) == data[at + _ROW.size : at + ROW_SIZE]:
            yield Row(*_ROW.unpack(body))


def append_row(path: Path, row: Row) -> None:
    """Add `row` to the pack `path`; any process may, as short appends do not mix. Raises OSError, above all
    if the pack was deleted."""
    body = _ROW.pack(*row)
    file = os.open(path.with_suffix(".rows"), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        write_full(file, body + _CHECK.pack(crc32(body)))
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
        """Raises BlockingIOError if another process writes to it, OSError if it cannot be written."""
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.size = os.fstat(self._file).st_size
            path.with_suffix(".rows").touch()
        except OSError:
            os.close(self._file)
            raise

    def is_linked(self) -> bool:
        """Whether the pack was not pruned between being opened and being locked."""
        return os.fstat(self._file).st_nlink > 0

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


def delete_pack(path: Path) -> int:
    """Delete the pack `path` with its rows, rows first; how many bytes are free now."""
    freed = 0
    for part in (path.with_suffix(".rows"), path):
        with suppress(FileNotFoundError):
            freed += part.stat().st_size
            part.unlink()
    return freed


def is_locked(path: Path) -> bool:
    """Whether some process holds `path` open as a `PackWriter`."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def checksum(data: Bytes) -> int:
    """The CRC-32 of `data`, at the speed of memory."""
    return int(deflate.crc32(data))


def new_pack(folder: Path) -> Path:
    """A path for another pack in `folder`."""
    return folder / f"{secrets.token_hex(8)}.pack"
