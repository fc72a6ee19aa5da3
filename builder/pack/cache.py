"""Compressed segments of earlier images, so that what did not change is not compressed again.

A folder of packs that any number of builds read and write at once. Nothing in it is trusted: what is torn,
altered or gone is a miss. The packs that were not used for the longest time are deleted first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from builder.core.errors import PackError
from builder.pack.bare import SUFFIX
from builder.pack.packfile import delete_pack, is_locked
from builder.pack.session import Session

DEFAULT_LIMIT = 8 << 30
"""How many bytes the cache may keep, unless the caller says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """`size` bytes in `packs` packs."""

    size: int
    packs: int


class SegmentCache:
    """The cache in `folder`, made when first needed and pruned to `limit` bytes after each use."""

    def __init__(self, folder: Path, *, limit: int = DEFAULT_LIMIT) -> None:
        self.folder = folder
        self.limit = limit

    @contextmanager
    def open(self) -> Iterator[Session]:
        """The cache for the time of one image. Raises PackError if there can be none."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PackError(
                f"the cache cannot be made: {error.strerror}",
                where=str(self.folder),
                fix="name a folder of yours with WSLIMG_CACHE",
            ) from error
        with closing(Session(self.folder)) as session:
            yield session
        self.prune(self.limit)

    def usage(self) -> Usage:
        """What is in the cache now."""
        files = self._files()
        packs = sum(1 for path, _ in files if path.suffix == ".pack")
        return Usage(size=sum(status.st_size for _, status in files), packs=packs)

    def prune(self, limit: int) -> int:
        """Delete packs, the least recently used first, until `limit` bytes are left; returns how many went.

        A pack that a build is writing to stays.
        """
        files = sorted(self._files(), key=lambda item: item[1].st_mtime_ns)
        left = total = sum(status.st_size for _, status in files)
        for path, _ in files:
            if left <= limit:
                break
            if path.suffix != ".rows" and not is_locked(path):
                left -= _delete(path)
        return total - left

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in self.folder.rglob("*"):
            if path.suffix in (".pack", ".rows", ".tree", SUFFIX):
                with suppress(FileNotFoundError):
                    found.append((path, path.stat()))
        return found


def _delete(path: Path) -> int:
    """Delete a pack, or what is remembered of a tree; how many bytes are free now."""
    if path.suffix == ".pack":
        return delete_pack(path)
    with suppress(FileNotFoundError):
        freed = path.stat().st_size
        path.unlink()
        return freed
    return 0
