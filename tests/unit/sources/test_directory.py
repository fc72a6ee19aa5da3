"""Folders are taken as they are, once."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.model.entry import Entry, Kind
from builder.model.lock import ArchitectureLock, DirectorySource
from builder.sources.directory import Directory, directory_entries, fetch_directory, resolve_directory
from builder.sources.source import Supply

from .oci.layers import content


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "top"
    (top / "etc").mkdir(parents=True)
    (top / "usr").mkdir(mode=0o711)
    (top / "etc/os-release").write_text("ID=debian\n")
    (top / "usr/data").write_bytes(b"data")
    (top / "usr/same").hardlink_to(top / "usr/data")
    (top / "link").symlink_to("usr/gone")
    os.mkfifo(top / "pipe")
    (top / ("n" * 200)).write_bytes(b"")
    for place in (*top.rglob("*"), top):
        os.utime(place, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    return top


def resolve(tmp_path: Path) -> ArchitectureLock:
    supply = Supply(blobs=Blobs(tmp_path / "blobs"), folder=tmp_path)
    return resolve_directory(Directory(path=Path("top")), "amd64", (), supply)


def entries(lock: ArchitectureLock, tmp_path: Path) -> dict[str, Entry]:
    assert isinstance(lock.source, DirectorySource)
    found = directory_entries(lock.source, "amd64", Blobs(tmp_path / "blobs"))
    return {entry.path.decode(): entry for entry in found}


def test_everything_is_as_found(top: Path, tmp_path: Path) -> None:
    lock = resolve(tmp_path)
    found = entries(lock, tmp_path)
    assert list(found) == ["etc", "etc/os-release", "link", "n" * 200, "pipe", "usr", "usr/data", "usr/same"]
    assert (lock.time, lock.facts.family) == (1_700_000_000, "debian")
    assert (content(found["usr/data"]), found["usr/same"].target) == (b"data", b"usr/data")
    assert (found["usr"].mode, found["usr"].uid) == (0o711, os.getuid())
    assert (found["link"].target, found["pipe"].kind) == (b"usr/gone", Kind.FIFO)
    assert found["usr/data"].mode == stat.S_IMODE((top / "usr/data").stat().st_mode)


def test_an_equal_folder_is_an_equal_lock_and_a_changed_one_is_not(top: Path, tmp_path: Path) -> None:
    first = resolve(tmp_path)
    assert resolve(tmp_path) == first
    (top / "usr/data").write_bytes(b"else")
    assert resolve(tmp_path) != first
    assert content(entries(first, tmp_path)["usr/data"]) == b"data"


def test_a_folder_that_changed_does_not_fit_its_lock(top: Path, tmp_path: Path) -> None:
    lock = resolve(tmp_path)
    fresh = Supply(blobs=Blobs(tmp_path / "fresh"), folder=tmp_path)
    fetch_directory(Directory(path=Path("top")), lock, fresh)
    (top / "usr/data").write_bytes(b"else")
    other = Supply(blobs=Blobs(tmp_path / "other"), folder=tmp_path)
    with pytest.raises(ResolveError, match="is not what the lock says") as caught:
        fetch_directory(Directory(path=Path("top")), lock, other)
    assert "wslimg lock" in str(caught.value)


def test_a_folder_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResolveError, match="top: cannot be read: No such file or directory"):
        resolve(tmp_path)
    (tmp_path / "top").mkdir()
    with pytest.raises(ResolveError, match="holds no root file system with etc and usr or bin, but nothing"):
        resolve(tmp_path)
