"""Outputs that cannot be written: each error says why and what helps, and nothing is left behind."""

from __future__ import annotations

import errno
import os

import pytest

from builder.core.errors import PackError, UsageError
from builder.pack import output
from builder.pack.output import open_output


def write(path, data=b"data"):
    with open_output(path) as image:
        image.add(data)
        image.finish()


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "make room, or choose another folder"),
        (errno.EDQUOT, "make room, or choose another folder"),
        (errno.EACCES, "ask for the right to write there"),
        (errno.EROFS, "mount it writable"),
        (errno.EFBIG, "raise the limit"),
        (errno.EIO, "check the disk, or choose another folder"),
    ],
    ids=errno.errorcode.get,
)
def test_the_fix_fits_the_error(tmp_path, monkeypatch, number, fix):
    def fail(file, data):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(output, "write_full", fail)
    message = f"o.wsl: the image cannot be written: {os.strerror(number)}\n  fix: {fix}"
    with pytest.raises(PackError, match=message):
        write(tmp_path / "new" / "o.wsl")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("place", ["a.wsl/o.wsl", "a.wsl/new/o.wsl"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, place):
    (tmp_path / "a.wsl").touch()
    message = rf"cannot be written: {tmp_path}/a\.wsl is no folder\n  fix: choose another folder"
    with pytest.raises(PackError, match=message):
        write(tmp_path / place)


def test_a_name_may_have_255_bytes_and_no_more(tmp_path):
    for _ in range(2):
        write(tmp_path / ("a" * 255))
    with pytest.raises(PackError, match="File name too long\n  fix: choose a shorter name"):
        write(tmp_path / ("a" * 256))
    assert os.listdir(tmp_path) == ["a" * 255]


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("a pipe", os.mkfifo),
        ("a folder", os.mkdir),
        ("a device", lambda path: path.symlink_to("/dev/null")),
        ("a link into /proc", lambda path: path.symlink_to("/proc/self/fd/12345")),
    ],
    ids=["pipe", "folder", "device", "link"],
)
def test_what_is_no_file_is_not_replaced(tmp_path, what, make):
    path = tmp_path / "o.wsl"
    make(path)
    before = path.lstat()
    with pytest.raises(
        UsageError, match=f"is {what}, and an image can only be a file\n  fix: choose another"
    ):
        write(path)
    assert path.lstat() == before


@pytest.mark.system
def test_a_device_is_not_replaced(root, tmp_path):
    path = tmp_path / "null"
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
    with pytest.raises(UsageError, match="is a device"):
        write(path)
    assert path.is_char_device()
