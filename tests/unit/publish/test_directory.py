"""A folder whose share, or another machine on it, does what a disk of one's own does not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from builder.core.errors import PublishError
from builder.publish.directory import DirectoryTarget
from builder.publish.target import MissingError


def test_a_folder_that_cannot_be_listed_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "entries").symlink_to("entries")
    with pytest.raises(PublishError, match="Too many levels of symbolic links") as caught:
        DirectoryTarget(tmp_path).list("entries/")
    assert caught.value.where == f"{tmp_path}/entries/"


def test_a_folder_that_is_not_there_or_no_folder_has_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert DirectoryTarget(tmp_path).list("none/") == DirectoryTarget(tmp_path).list("file/") == ()


def stale(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on NFS, the next `times` files that are read were removed or replaced after they were opened."""
    left = [OSError(errno.ESTALE, os.strerror(errno.ESTALE))] * times
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if left:
            raise left.pop()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)


def test_a_file_that_goes_while_it_is_read_is_missing_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = DirectoryTarget(tmp_path)
    target.put_bytes("there", b"new")
    stale(1, monkeypatch)
    assert target.get("there") == b"new"
    stale(1, monkeypatch)
    with pytest.raises(MissingError):
        target.get("gone")


def test_a_share_that_has_gone_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale(9, monkeypatch)
    with pytest.raises(PublishError, match="Stale file handle") as caught:
        DirectoryTarget(tmp_path).get("x")
    assert caught.value.fix == "mount the share again"

    def refuse(_: Path) -> bool:
        raise OSError(errno.EHOSTDOWN, os.strerror(errno.EHOSTDOWN))

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(PublishError, match="Host is down") as caught:
        DirectoryTarget(tmp_path).list("")
    assert "check the network" in caught.value.fix
