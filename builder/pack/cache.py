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
from typing import NamedTuple

from builder.core.errors import PackError
from builder.pack.packfile import delete_unused_pack
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
        kept = list_kept(self.folder)
        packs = sum(1 for each in kept if each.path.suffix == ".pack")
        return Usage(size=sum(each.size for each in kept), packs=packs)

    def prune(self, limit: int) -> int:
        """Delete packs, the least recently used first, until `limit` bytes are left; returns how many went.

        A pack that a build is writing to stays.
        """
        kept = list_kept(self.folder)
        left = total = sum(each.size for each in kept)
        for each in sorted(kept):
            if left <= limit:
                break
            with suppress(OSError):
                left -= delete_kept(each.path)
        return total - left


class Kept(NamedTuple):
    """What is used and deleted as one: a pack with its rows, or what is remembered of a tree. `used` last in
    nanoseconds since the epoch, `size` in bytes. Either file of a pack may be missing."""

    used: int
    path: Path
    size: int


def list_kept(folder: Path) -> list[Kept]:
    """What the cache in `folder` holds, in no order. What vanishes meanwhile is left out."""
    found: dict[Path, Kept] = {}
    _, _, names = next(os.walk(folder), ("", [], []))
    for file in map(folder.joinpath, names):
        with suppress(OSError):
            status = file.lstat()
            path = file.with_suffix(".pack") if file.suffix == ".rows" else file
            other = found.get(path, Kept(0, path, 0))
            used = max(other.used, status.st_mtime_ns)
            found[path] = Kept(used, path, other.size + status.st_size)
    return list(found.values())


def delete_kept(path: Path) -> int:
    """Delete what `list_kept` found as `path`, unless a build is writing to it; how many bytes are free now.

    Raises OSError.
    """
    if path.suffix == ".pack":
        return delete_unused_pack(path)
    try:
        size = path.lstat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return size
