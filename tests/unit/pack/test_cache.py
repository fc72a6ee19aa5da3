from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import subprocess
from functools import partial
from pathlib import Path

import deflate
import pytest

from builder.core.errors import PackError
from builder.core.events import Note
from builder.model.entry import Entry, Identity, Kind
from builder.pack.cache import SegmentCache
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.packfile import ROW_SIZE, PackWriter, read_rows
from builder.pack.settings import Kind as Compression
from builder.pack.settings import PackSettings, Preset

TIME = 1_700_000_000


def noise(size: int, seed: int = 1) -> bytes:
    return hashlib.shake_256(seed.to_bytes(4, "big")).digest(size)


def tree(*changed: int, layer: str = "one", identified: bool = True) -> list[Entry]:
    """About 6 MB in 150 files; the content of those in `changed` differs, and lies in another layer."""
    entries = []
    for index in range(150):
        path = b"f%03d" % index
        data = noise(40_000, index + 1000 * (index in changed))
        entry = with_content(Entry(path=path, kind=Kind.FILE, mode=0o644), data)
        identity = Identity(layer="changed" if index in changed else layer, path=path)
        entries.append(entry._replace(identity=identity if identified else None))
    return entries


@pytest.fixture
def cache(tmp_path) -> SegmentCache:
    return SegmentCache(tmp_path / "segments")


def pack(tmp_path: Path, entries, cache=None, sink=lambda event: None, **settings):
    return pack_tree(entries, tmp_path / "o.wsl", PackSettings(time=TIME, **settings), cache=cache, sink=sink)


def test_a_second_image_of_the_same_layers_compresses_nothing(tmp_path, cache):
    cold = pack(tmp_path, tree())
    first = pack(tmp_path, tree(), cache)
    second = pack(tmp_path, tree(), cache)
    assert (first.sha256, second.sha256) == (cold.sha256, cold.sha256)
    assert second.tar_sha256 == cold.tar_sha256
    assert (first.reused, second.reused) == (0, second.segments)
    assert second.segments > 3


@pytest.mark.parametrize("how", [{"layer": "two"}, {"identified": False}])
def test_the_same_content_from_elsewhere_is_found_by_content(tmp_path, cache, how):
    first = pack(tmp_path, tree(), cache)
    second = pack(tmp_path, tree(**how), cache)
    assert (second.sha256, second.reused) == (first.sha256, second.segments)


def test_one_changed_file_costs_one_segment(tmp_path, cache):
    pack(tmp_path, tree(), cache)
    changed = pack(tmp_path, tree(75), cache)
    assert changed.reused == changed.segments - 1
    assert changed.sha256 == pack(tmp_path, tree(75)).sha256


def test_known_layers_are_not_even_read(tmp_path, cache):
    first = pack(tmp_path, tree(), cache)
    unreadable = [entry._replace(open=refuse) for entry in tree()]
    second = pack(tmp_path, unreadable, cache, tar_digest=False)
    assert (second.sha256, second.tar_sha256) == (first.sha256, "")


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.XZ, Compression.ZSTD])
def test_for_the_digest_of_the_archive_small_files_of_known_layers_are_not_opened_one_by_one(
    tmp_path, cache, kind
):
    first = pack(tmp_path, tree(), cache, kind=kind)
    opened = []
    counted = [entry._replace(open=partial(count, entry, opened)) for entry in tree()]
    second = pack(tmp_path, counted, cache, kind=kind)
    assert (second.sha256, second.tar_sha256) == (first.sha256, pack(tmp_path, tree(), kind=kind).tar_sha256)
    assert len(opened) <= 8


def count(entry: Entry, opened: list[Entry]) -> int:
    opened.append(entry)
    return entry.open()


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZSTD])
def test_a_cached_segment_that_cannot_be_expanded_is_never_shipped_and_forgotten(tmp_path, cache, kind):
    cold = pack(tmp_path, tree(), cache, kind=kind)
    (tmp_path / "o.wsl").unlink()
    (rows,) = cache.folder.glob("*.rows")
    keys = tuple(row.key for row in read_rows(rows))
    rows.unlink()
    with cache.open() as session:
        session.put(keys[2:4], b"neither gzip nor zstd")  # the second segment, of many files
    with pytest.raises(PackError, match="cannot be expanded") as caught:
        pack(tmp_path, tree(), cache, kind=kind, verify=True)
    assert "pack again" in caught.value.fix
    assert not (tmp_path / "o.wsl").exists()
    again = pack(tmp_path, tree(), cache, kind=kind, verify=True)
    assert (again.sha256, again.tar_sha256) == (cold.sha256, cold.tar_sha256)


@pytest.mark.parametrize("kind", Compression)
def test_whatever_is_compressed_can_be_verified(tmp_path, kind):
    assert pack(tmp_path, tree(), kind=kind, verify=True) == pack(tmp_path, tree(), kind=kind)


def test_a_compressor_that_loses_bytes_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(deflate, "gzip_compress", lambda data, level: gzip.compress(bytes(data[:-1])))
    with pytest.raises(PackError, match="does not expand to what went in") as caught:
        pack(tmp_path, tree(), verify=True)
    assert "test the memory" in caught.value.fix
    assert not (tmp_path / "o.wsl").exists()


def refuse():
    raise PermissionError(13, "Permission denied")


def test_another_level_shares_nothing(tmp_path, cache):
    pack(tmp_path, tree(), cache)
    assert pack(tmp_path, tree(), cache, preset=Preset.FAST).reused == 0


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_flipped_byte_in_a_pack_is_a_miss_and_never_shipped(tmp_path, cache, part):
    cold = pack(tmp_path, tree(), cache)
    (store,) = cache.folder.glob("*.pack")
    flip(store, part)
    again = pack(tmp_path, tree(), cache)
    assert (again.sha256, again.reused) == (cold.sha256, again.segments - 1)
    assert pack(tmp_path, tree(), cache).reused == again.segments


@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_a_flipped_byte_in_the_rows_is_a_miss_and_never_shipped(tmp_path, cache, part):
    cold = pack(tmp_path, tree(), cache)
    (rows,) = cache.folder.glob("*.rows")
    flip(rows, part)
    again = pack(tmp_path, tree(), cache)
    assert again.sha256 == cold.sha256
    assert again.reused >= again.segments - 1


def flip(path: Path, part: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(part * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", [".pack", ".rows"])
@pytest.mark.parametrize("left", [0, 1, 100_001])
def test_what_a_crash_cut_off_is_a_miss(tmp_path, cache, suffix, left):
    cold = pack(tmp_path, tree(), cache)
    (path,) = cache.folder.glob("*" + suffix)
    os.truncate(path, min(left, path.stat().st_size // 2 // ROW_SIZE * ROW_SIZE + left % ROW_SIZE))
    for _ in range(2):
        assert pack(tmp_path, tree(), cache).sha256 == cold.sha256


@pytest.mark.parametrize("torn", [b"torn!", bytes(ROW_SIZE - 1)])
def test_a_torn_row_costs_no_later_one(tmp_path, cache, torn):
    pack(tmp_path, tree(), cache)
    (rows,) = cache.folder.glob("*.rows")
    with rows.open("ab") as file:
        file.write(torn)
    pack(tmp_path, tree(75), cache)
    size = cache.usage().size
    again = pack(tmp_path, tree(75), cache)
    assert again.reused == again.segments
    assert cache.usage().size == size


def test_a_torn_row_costs_no_later_name_of_a_segment(cache):
    with cache.open() as session:
        session.put((b"1" * 32,), b"data")
    (rows,) = cache.folder.glob("*.rows")
    with rows.open("ab") as file:
        file.write(b"torn!")
    with cache.open() as session:
        session.alias(b"1" * 32, (b"2" * 32, b"3" * 32))
    with cache.open() as session:
        assert [session.get(key * 32) for key in (b"1", b"2", b"3")] == [b"data"] * 3


def test_a_pack_that_cannot_be_read_is_a_miss(tmp_path, cache):
    first = pack(tmp_path, tree(), cache)
    for path in cache.folder.glob("*.pack"):
        path.unlink()
        path.mkdir()  # it opens, and every read fails
    assert pack(tmp_path, tree(), cache).sha256 == first.sha256


def test_builds_at_the_same_time_write_to_packs_of_their_own(cache):
    with cache.open() as one, cache.open() as other:
        one.put((b"1" * 32,), b"first")
        other.put((b"2" * 32,), b"second")
        one.put((b"3" * 32,), b"third")
    with cache.open() as later:
        assert [later.get(key * 32) for key in (b"1", b"2", b"3", b"4")] == [
            b"first",
            b"second",
            b"third",
            None,
        ]
    assert cache.usage().packs == 2


def test_a_pack_with_room_is_filled_by_the_next_build(cache):
    for number in range(5):
        with cache.open() as session:
            session.put((bytes([number]) * 32,), b"data")
    assert cache.usage().packs == 1


def test_a_pack_that_is_pruned_while_it_is_used_stays_readable(cache):
    with cache.open() as session:
        session.put((b"1" * 32, b"2" * 32), b"data")
    with cache.open() as session:
        assert session.get(b"1" * 32) == b"data"
        cache.prune(0)
        assert session.get(b"2" * 32) == b"data"


def test_a_pack_that_is_pruned_just_before_it_is_locked_is_not_written_to(cache, monkeypatch):
    cache.folder.mkdir()
    make_pack(cache, "a", used=1)
    lock = fcntl.flock

    def lock_too_late(file: int, how: int) -> None:
        for part in ("a.pack", "a.rows"):
            (cache.folder / part).unlink(missing_ok=True)
        lock(file, how)

    with cache.open() as session, monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", lock_too_late)
        session.put((b"1" * 32,), b"data")
    with cache.open() as session:
        assert session.get(b"1" * 32) == b"data"
    assert not {"a.pack", "a.rows"}.intersection(names(cache))


def test_pruning_deletes_what_was_unused_longest_and_spares_what_is_written(cache):
    cache.folder.mkdir()
    for name, used in (("old", 1), ("new", 3), ("middle", 2)):
        make_pack(cache, name, used=used)
    assert cache.prune(2 * (1000 + ROW_SIZE)) == 1000 + ROW_SIZE
    assert sorted(path.stem for path in cache.folder.glob("*.pack")) == ["middle", "new"]
    writer = PackWriter(cache.folder / "middle.pack")
    cache.prune(0)
    writer.close()
    assert sorted(path.name for path in cache.folder.iterdir()) == ["middle.pack", "middle.rows"]


def make_pack(cache: SegmentCache, name: str, *, used: int, rows_used: int = 1) -> None:
    writer = PackWriter(cache.folder / f"{name}.pack")
    writer.append(name.ljust(32).encode(), bytes(1000))
    writer.close()
    os.utime(writer.path, (used, used))
    os.utime(writer.path.with_suffix(".rows"), (rows_used, rows_used))


def names(cache: SegmentCache) -> list[str]:
    return sorted(path.name for path in cache.folder.iterdir())


def test_a_pack_and_its_rows_are_used_and_deleted_as_one(cache):
    cache.folder.mkdir()
    make_pack(cache, "read", used=9)
    make_pack(cache, "unread", used=5, rows_used=6)
    make_pack(cache, "named", used=2, rows_used=8)
    assert cache.prune(cache.usage().size - 1) == 1000 + ROW_SIZE
    assert names(cache) == ["named.pack", "named.rows", "read.pack", "read.rows"]


@pytest.mark.parametrize("lost", ["pack", "rows"])
def test_half_a_pack_is_deleted_too(cache, lost):
    cache.folder.mkdir()
    make_pack(cache, "torn", used=1)
    (cache.folder / f"torn.{lost}").unlink()
    assert cache.prune(0) > 0
    assert names(cache) == []


def test_what_a_killed_build_left_is_deleted_too(cache):
    cache.folder.mkdir()
    (cache.folder / ".key.tree.0123abcd.part").write_bytes(bytes(10))
    assert cache.prune(0) == 10
    assert names(cache) == []


def test_a_pack_of_which_another_file_has_the_name_is_no_reason_to_fail(tmp_path, cache):
    for name in ("a.pack", "b.rows"):
        (cache.folder / name).mkdir(parents=True)
    (cache.folder / "b.pack").write_bytes(bytes(1000))
    assert pack(tmp_path, tree(), cache).sha256 == pack(tmp_path, tree()).sha256
    assert (cache.folder / "b.pack").stat().st_size == 1000
    again = pack(tmp_path, tree(), cache)
    assert again.reused == again.segments
    cache.prune(0)
    assert names(cache) == ["a.pack", "b.rows"]


def test_reading_a_pack_marks_it_as_used(cache):
    with cache.open() as session:
        session.put((b"1" * 32,), b"data")
    parts = list(cache.folder.iterdir())
    for part in parts:
        os.utime(part, (1, 1))
    with cache.open() as session:
        session.get(b"1" * 32)
    assert len(parts) == 2
    assert all(part.stat().st_mtime > 1 for part in parts)


def test_the_limit_holds_after_each_image(tmp_path):
    cache = SegmentCache(tmp_path / "segments", limit=1 << 20)
    pack(tmp_path, tree(), cache)
    assert cache.usage().size <= 1 << 20


def test_kinds_that_cannot_be_cached_are_packed_all_the_same(tmp_path, cache):
    for settings in ({"single_member": True}, {"kind": Compression.NONE}):
        expected = pack(tmp_path, tree(), **settings).sha256
        for _ in range(2):
            assert pack(tmp_path, tree(), cache, tree_key="k", **settings).sha256 == expected
    assert cache.usage().packs == 0


def never():
    raise AssertionError("the tree was walked")
    yield


def test_an_image_that_is_still_there_is_not_even_walked(tmp_path, cache):
    first = pack(tmp_path, tree(), cache, tree_key="k")
    inode = (tmp_path / "o.wsl").stat().st_ino
    second = pack(tmp_path, never(), cache, tree_key="k")
    assert second.sha256 == first.sha256
    assert (tmp_path / "o.wsl").stat().st_ino == inode


@pytest.mark.parametrize("harm", [os.unlink, lambda path: path.write_bytes(b"other"), os.utime])
def test_an_image_that_is_not_what_was_written_is_put_together_again(tmp_path, cache, harm):
    first = pack(tmp_path, tree(), cache, tree_key="k")
    harm(tmp_path / "o.wsl")
    second = pack(tmp_path, never(), cache, tree_key="k")
    assert hashlib.sha256((tmp_path / "o.wsl").read_bytes()).hexdigest() == first.sha256 == second.sha256


def test_other_settings_are_another_image(tmp_path, cache):
    pack(tmp_path, tree(), cache, tree_key="k")
    for settings in ({"tree_key": "l"}, {"tree_key": "k", "preset": Preset.FAST}):
        with pytest.raises(AssertionError, match="was walked"):
            pack(tmp_path, never(), cache, **settings)


def test_a_known_image_with_a_lost_segment_is_packed_anew(tmp_path, cache):
    first = pack(tmp_path, tree(), cache, tree_key="k")
    (tmp_path / "o.wsl").unlink()
    flip(next(cache.folder.glob("*.pack")), 0.5)
    events = []
    second = pack(tmp_path, tree(), cache, events.append, tree_key="k")
    assert second.sha256 == first.sha256
    assert "lost a part" in next(event.message for event in events if isinstance(event, Note))


def test_a_damaged_record_of_an_image_is_ignored(tmp_path, cache):
    first = pack(tmp_path, tree(), cache, tree_key="k")
    for record in cache.folder.glob("*.tree"):
        record.write_text("{}")
    assert pack(tmp_path, tree(), cache, tree_key="k").sha256 == first.sha256


@pytest.mark.system
def test_a_full_disk_below_the_cache_costs_the_cache_and_not_the_image(root, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
    try:
        first = pack(tmp_path, tree(), SegmentCache(folder / "segments"))
        second = pack(tmp_path, tree(), SegmentCache(folder / "segments"))
    finally:
        subprocess.run(["umount", folder], check=True)
    assert first.sha256 == second.sha256 == pack(tmp_path, tree()).sha256
