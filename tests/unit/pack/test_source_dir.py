"""Folders as sources: which files are taken as unchanged, and trees deeper than files may be open."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.core.errors import PackError
from builder.pack.bare import bare_files
from builder.pack.cache import SegmentCache
from builder.pack.content import read_entry
from builder.pack.image import pack_tree
from builder.pack.settings import PackSettings
from builder.pack.source_dir import read_directory

LONG_AGO = 1_700_000_000


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "f").write_bytes(b"AAAA")
    return root


def identities(root: Path) -> dict[bytes, object]:
    return {entry.path: entry.identity for entry in read_directory(root, trust_mtime=True) if entry.size}


def asked(root: Path, cache: Path, monkeypatch) -> list[bytes]:
    """Which files are asked for attributes."""
    found: list[bytes] = []
    ask = os.listxattr
    with monkeypatch.context() as patch:
        patch.setattr(os, "listxattr", lambda path, **more: found.append(path) or ask(path, **more))
        list(read_directory(root, trust_mtime=True, memory=bare_files(cache, root)))
    return found


class OtherFileSystem:
    f_fsid = 4711


def test_the_same_file_in_another_file_system_is_another(folder, tmp_path, monkeypatch):
    before = identities(folder)
    assert before[b"f"] is not None
    assert asked(folder, tmp_path, monkeypatch) and not asked(folder, tmp_path, monkeypatch)
    monkeypatch.setattr(os, "statvfs", lambda place: OtherFileSystem)
    assert identities(folder)[b"f"] not in (None, before[b"f"])
    assert asked(folder, tmp_path, monkeypatch) == [os.fsencode(folder / "f")]


@contextmanager
def mounted(at: Path, *words: object):
    subprocess.run(["mount", *map(str, words), str(at)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


@pytest.mark.system
@pytest.mark.parametrize("uuid", ["random", "5a0b5c3e-4d1f-4a51-9d0e-6a6c1f0e7a11"])
def test_what_makers_of_file_systems_call_the_same_file_is_read(root, tool, tmp_path, uuid):
    """Same path, inode, size, mtime and ctime; of reproducible images also the same file system."""
    tool("mkfs.ext4")
    place, images = tmp_path / "place", {}
    place.mkdir()
    made = {**os.environ, "E2FSPROGS_FAKE_TIME": str(LONG_AGO)}
    for content in (b"AAAA", b"BBBB"):
        folder, image = tmp_path / content.decode(), tmp_path / f"{content.decode()}.ext4"
        folder.mkdir()
        (folder / "f").write_bytes(content)
        os.utime(folder / "f", (LONG_AGO, LONG_AGO))
        words = ["mkfs.ext4", "-q", "-U", uuid, "-d", folder, image, "4M"]
        subprocess.run(words, check=True, env=made)
        images[content] = image
    cache, found = SegmentCache(tmp_path / "cache"), {}
    for content, image in images.items():
        with mounted(place, "-o", "loop", image):
            entries = read_directory(place, trust_mtime=True, memory=bare_files(cache.folder, place))
            packed = pack_tree(entries, tmp_path / "o.wsl", PackSettings(time=1), cache=cache)
            alone = pack_tree(read_directory(place), tmp_path / "alone.wsl", PackSettings(time=1))
            assert packed.sha256 == alone.sha256
            found[content] = packed.sha256
    assert len(set(found.values())) == 2


@pytest.mark.system
def test_a_file_of_another_file_system_that_is_mounted_on_one_is_not_trusted(
    root, folder, tmp_path, monkeypatch
):
    (folder / "g").write_bytes(b"GGGG")
    other = tmp_path / "other"
    other.mkdir()
    with mounted(other, "-t", "tmpfs", "none"):
        (other / "f").write_bytes(b"BBBB")
        with mounted(folder / "f", "--bind", other / "f"):
            assert {path: bool(found) for path, found in identities(folder).items()} == {
                b"f": False,
                b"g": True,
            }
            for _ in range(2):
                names = asked(folder, tmp_path, monkeypatch)
            assert names == [os.fsencode(folder / "f")]


@contextmanager
def few_open_files(count: int):
    """As many may be open as are now, and `count` more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


DEPTH = 200


@pytest.fixture
def deep(tmp_path):
    """Folders in one another, each with a folder and a file before and after the one that leads down."""
    root = place = tmp_path / "deep"
    for level in range(DEPTH):
        for name in ("a", "d", "z"):
            (place / name).mkdir(parents=True)
        for name in ("b", "y"):
            (place / name).write_bytes(b"%d" % level)
        place = place / "d"
    return root


def test_a_tree_may_be_deeper_than_files_may_be_open(deep):
    before = os.listdir("/proc/self/fd")
    with few_open_files(90):
        entries = list(read_directory(deep))
    assert os.listdir("/proc/self/fd") == before
    assert len(entries) == DEPTH * 5
    paths = [entry.path.split(b"/") for entry in entries]
    assert paths == sorted(paths)
    contents = [(entry.path.count(b"/"), int(read_entry(entry))) for entry in entries if entry.size]
    assert all(level == content for level, content in contents)


def test_a_deep_folder_that_is_moved_meanwhile_is_one_clear_error(tmp_path):
    """Its `..` is another folder then, which must not be taken for the one that was left."""
    root, way, elsewhere = tmp_path / "root", ["d"] * 50, tmp_path / "elsewhere"
    root.joinpath(*["d"] * DEPTH).mkdir(parents=True)
    elsewhere.mkdir()
    before = os.listdir("/proc/self/fd")
    with pytest.raises(PackError, match="it was moved meanwhile") as caught:
        for entry in read_directory(root):
            if entry.path.count(b"/") == DEPTH - 1:
                root.joinpath(*way).rename(elsewhere / "d")
    assert caught.value.where == "/" + "/".join(way)
    assert "stop whatever changes the folder" in caught.value.fix
    assert os.listdir("/proc/self/fd") == before
