"""What the cache holds and what is deleted of it, while builds use it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from builder.execute.disk import lock_folder
from builder.pack.cache import SegmentCache
from builder.pack.packfile import PackWriter
from builder.pipeline.storage import CachePart, measure_cache, prune_cache

KEY = b"k" * 32


def fill(path: Path, *, used: int, size: int = 10_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (used, used))
    return path


def store(cache: Path, name: str, *, used: int) -> PackWriter:
    """A pack that was used, with rows that nobody has written to since."""
    (cache / "segments").mkdir(parents=True, exist_ok=True)
    writer = PackWriter(cache / "segments" / f"{name}.pack")
    writer.append(KEY, bytes(10_000))
    os.utime(writer.path, (used, used))
    os.utime(writer.path.with_suffix(".rows"), (1, 1))
    return writer


def parts(cache: Path) -> dict[str, CachePart]:
    return {part.name: part for part in measure_cache(cache)}


def files(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def total(cache: Path) -> int:
    return sum(part.size for part in measure_cache(cache))


def test_what_was_unused_longest_goes_first_and_a_pack_goes_whole(tmp_path):
    store(tmp_path, "new", used=9).close()
    store(tmp_path, "old", used=3).close()
    fill(tmp_path / "blobs/aa/older", used=2)
    fill(tmp_path / "plans/newer", used=5)
    assert parts(tmp_path)["segments"].count == 2
    freed = prune_cache(tmp_path, total(tmp_path) - 12_289)  # more than one file, whatever a block is
    assert freed >= 20_000
    assert files(tmp_path) == ["plans/newer", "segments/new.pack", "segments/new.rows"]


def test_a_pack_that_was_read_outlives_its_rows_age(tmp_path):
    store(tmp_path, "read", used=1).close()
    fill(tmp_path / "plans/newer", used=5)
    with SegmentCache(tmp_path / "segments").open() as session:
        assert session.get(KEY)
    prune_cache(tmp_path, total(tmp_path) - 1)
    assert files(tmp_path) == ["segments/read.pack", "segments/read.rows"]


def test_what_running_builds_have_locked_stays(tmp_path):
    written = store(tmp_path, "written", used=1)
    store(tmp_path, "idle", used=9).close()
    fill(tmp_path / "caches/%2Fbusy/deep/x", used=1)
    fill(tmp_path / "caches/%2Fidle/deep/x", used=9)
    held = lock_folder(tmp_path / "caches/%2Fbusy", fcntl.LOCK_EX)
    assert held is not None
    prune_cache(tmp_path, 0)
    assert files(tmp_path) == ["caches/%2Fbusy/deep/x", "segments/written.pack", "segments/written.rows"]
    written.append(b"l" * 32, b"data")
    written.close()
    os.close(held)
    prune_cache(tmp_path, 0)
    assert files(tmp_path) == []


def test_a_pack_among_the_files_of_a_step_is_a_file(tmp_path):
    folder = tmp_path / "caches/%2Frepository/segments"
    fill(folder / "a.rows", used=9)
    fill(folder / "a.pack", used=1)
    assert parts(tmp_path)["step caches"].count == 2
    prune_cache(tmp_path, total(tmp_path) - 1)
    assert files(tmp_path) == ["caches/%2Frepository/segments/a.rows"]


@pytest.mark.parametrize("folder", ["segments", "caches/%2Fa/b"])
def test_what_vanishes_while_it_is_listed_is_not_counted(tmp_path, monkeypatch, folder):
    for name in ("a.tree", "b.tree", "c.tree"):
        fill(tmp_path / folder / name, used=1)
    look = Path.lstat

    def look_too_late(path):
        if path.name == "b.tree":
            path.unlink(missing_ok=True)
        return look(path)

    monkeypatch.setattr(Path, "lstat", look_too_late)
    assert sum(part.count for part in measure_cache(tmp_path)) == 2
    prune_cache(tmp_path, 0)
    assert files(tmp_path) == []


def test_a_folder_that_vanishes_while_it_is_listed_is_not_counted(tmp_path, monkeypatch):
    fill(tmp_path / "caches/%2Fa/x", used=1)
    fill(tmp_path / "caches/%2Fb/y", used=1)
    scan = os.scandir

    def scan_too_late(path):
        if os.fspath(path).endswith("b"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_too_late)
    assert sum(part.count for part in measure_cache(tmp_path)) == 1
