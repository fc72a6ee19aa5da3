"""The segment cache for the time of one image."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Lock

from builder.pack.compress import Bytes
from builder.pack.packfile import (
    PackReader,
    PackWriter,
    Row,
    append_row,
    delete_pack,
    new_pack,
    read_rows,
    touch_pack,
)

_FULL = 128 << 20
"""A pack from this size on gets no more segments, in bytes: the grain in which the cache is pruned."""


class Session:
    """Looks segments up and stores new ones. `get` may be called from many threads, the others from one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[bytes, tuple[Path, Row]] = {}
        self._readers: dict[Path, PackReader | None] = {}
        self._opening = Lock()
        self._writer: PackWriter | None = None
        self._writable = True
        for path in sorted(folder.glob("*.pack")):
            self._places.update((row.key, (path, row)) for row in read_rows(path))

    def get(self, key: bytes) -> bytes | None:
        """The compressed segment `key`, checked; None if it is not there or not what was stored."""
        place = self._places.get(key)
        if place is None:
            return None
        reader, data = self._reader(place[0]), None
        with suppress(OSError):
            data = reader.read(place[1]) if reader else None
        if data is None:
            self._places.pop(key, None)
        return data

    def forget(self, key: bytes) -> None:
        """Delete the pack that holds the segment `key`: it is what was stored, but of no use."""
        place = self._places.get(key)
        if place:
            with suppress(OSError):
                delete_pack(place[0])

    def put(self, keys: tuple[bytes, ...], data: Bytes) -> None:
        """Store `data` under each of `keys`. A disk that is full ends the storing, not the build."""
        if not self._writable:
            return
        try:
            writer = self._open_writer()
            row = writer.append(keys[0], data)
        except OSError:
            self._writable = False
            return
        self._places[row.key] = writer.path, row
        self.alias(row.key, keys[1:])

    def alias(self, key: bytes, others: tuple[bytes, ...]) -> None:
        """Let each of `others` name the segment `key` as well."""
        place = self._places.get(key)
        if place is None:
            return
        for other in others:
            row = place[1]._replace(key=other)
            self._places[other] = place[0], row
            with suppress(OSError):
                append_row(place[0], row)

    def close(self) -> None:
        """Release what is open; the packs that were read count as used now."""
        for path, reader in self._readers.items():
            if reader:
                reader.close()
                touch_pack(path)
        if self._writer:
            self._writer.close()

    def _reader(self, path: Path) -> PackReader | None:
        with self._opening:
            if path not in self._readers:
                self._readers[path] = None
                with suppress(OSError):
                    self._readers[path] = PackReader(path)
            return self._readers[path]

    def _open_writer(self) -> PackWriter:
        if self._writer and self._writer.size >= _FULL:
            self._writer.close()
            self._writer = None
        if not self._writer:
            self._writer = self._free_writer() or PackWriter(new_pack(self.folder))
        return self._writer

    def _free_writer(self) -> PackWriter | None:
        """A pack with room that nobody else writes to."""
        for path in sorted(self.folder.glob("*.pack")):
            with suppress(OSError):
                writer = PackWriter(path)
                if writer.size < _FULL:
                    return writer
                writer.close()
        return None
