"""Files are there whole or not at all, on file systems with and without nameless files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from builder.core.files import atomic_file, irregular, write_atomic

# A writer that is killed in the middle: python -c WRITER PATH, "named" to do without O_TMPFILE
WRITER = """
import sys, time
from pathlib import Path
from builder.core import files
if sys.argv[2] == "named":
    files.os.O_TMPFILE = files.os.O_DIRECTORY  # what a kernel that does not know it makes of it: EISDIR
with files.atomic_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["nameless", "named"])
def kind(request, monkeypatch):
    """Both ways to write, whatever the file system of the tests can do."""
    if request.param == "named":
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    return request.param


def test_a_file_gets_its_name_when_it_is_whole(kind, tmp_path):
    path = tmp_path / "new" / "file"
    with atomic_file(path, mode=0o640) as file:
        file.write(b"data")
        assert not path.exists()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"data", 0o640)
    assert os.listdir(path.parent) == ["file"]


def test_an_existing_file_is_replaced_at_once(kind, tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with path.open("rb") as reader:
        write_atomic(path, b"new")
        assert (reader.read(), path.read_bytes()) == (b"old", b"new")
    assert os.listdir(tmp_path) == ["file"]


def test_a_block_that_fails_leaves_what_was_there(kind, tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as file:
        file.write(b"new" * (1 // 0))
    assert (os.listdir(tmp_path), path.read_bytes()) == (["file"], b"old")


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_no_new_folder(kind, tmp_path, error):
    with pytest.raises(error), atomic_file(tmp_path / "a" / "b" / "file") as file:
        file.write(b"half")
        raise error
    assert os.listdir(tmp_path) == []


def test_writers_share_a_new_folder_though_one_fails(kind, tmp_path):
    with atomic_file(tmp_path / "a" / "b" / "file") as file:
        file.write(b"data")
        with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a" / "other") as other:
            other.write(b"new" * (1 // 0))
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"data"
    assert (os.listdir(tmp_path), os.listdir(tmp_path / "a")) == (["a"], ["b"])


@pytest.mark.parametrize("place", ["file/new", "file/a/b/new", "link/new", "link/a/new"])
def test_what_is_no_folder_is_named_before_anything_is_written(kind, tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(NotADirectoryError) as caught, atomic_file(tmp_path / place):
        raise AssertionError
    assert caught.value.strerror == f"{tmp_path / place.split('/')[0]} is no folder"


@pytest.mark.parametrize("name", ["a" * 250, "a" * 255, "ő" * 127, "a" + "ő" * 127])
def test_a_name_may_be_as_long_as_any(kind, tmp_path, name):
    for data in (b"old", b"new"):
        write_atomic(tmp_path / name, data)
    assert (os.listdir(tmp_path), (tmp_path / name).read_bytes()) == ([name], b"new")


def test_a_name_that_is_too_long_is_told_before_anything_is_written(kind, tmp_path):
    with pytest.raises(OSError, match="File name too long"), atomic_file(tmp_path / ("a" * 256)):
        raise AssertionError


@pytest.mark.parametrize("to", ["file", "nowhere"])
def test_a_link_to_a_file_is_replaced(kind, tmp_path, to):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(to)
    write_atomic(tmp_path / "link", b"new")
    assert not (tmp_path / "link").is_symlink()
    assert (sorted(os.listdir(tmp_path)), (tmp_path / "file").read_bytes()) == (["file", "link"], b"old")


def _listen(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


IRREGULAR = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a socket": _listen,
    "a device": lambda path: path.symlink_to("/dev/null"),
    "a link into /proc": lambda path: path.symlink_to("/proc/self/fd/12345"),
}


@pytest.mark.parametrize("what", IRREGULAR)
def test_what_is_no_file_is_not_replaced(kind, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    path = tmp_path / "special"
    IRREGULAR[what](path)
    before = path.lstat()
    assert irregular(path) == what
    with pytest.raises(FileExistsError, match=f"{what} is there"):
        write_atomic(path, b"data")
    assert (path.lstat(), os.listdir(tmp_path)) == (before, ["special"])


def test_an_open_file_of_a_process_is_not_replaced(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{file.fileno()}")
        (tmp_path / "fd").symlink_to("/proc/self/fd")
        assert irregular(tmp_path / "stdout") == "a link into /proc"
        assert irregular(tmp_path / "fd" / str(file.fileno())) == "a link into /proc"


def _kill_writer(path, kind, folder):
    """Returns the names in `folder` while it wrote."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path, kind], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"written\n"
    names = os.listdir(folder)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    return names


def test_a_killed_writer_leaves_nothing(tmp_path):
    with atomic_file(tmp_path / "probe") as file:
        if os.fstat(file.fileno()).st_nlink:
            pytest.skip("this file system has no nameless files")
    (tmp_path / "probe").unlink()
    assert _kill_writer(tmp_path / "file", "nameless", tmp_path) == []
    assert _kill_writer(tmp_path / "new" / "file", "nameless", tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_without_nameless_files_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    path = tmp_path / "[a]"
    (left,) = _kill_writer(path, "named", tmp_path)
    assert left.startswith(".[a].") and left.endswith(".part")
    write_atomic(path, b"whole")
    assert os.listdir(tmp_path) == ["[a]"]


@pytest.mark.parametrize("place", ["a" * 255, "new/folder/file"])
def test_the_next_writer_finds_what_is_left_of_a_long_name_and_in_a_new_folder(tmp_path, place):
    path = tmp_path / place
    assert len(_kill_writer(path, "named", tmp_path)) == 1
    write_atomic(path, b"whole")
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == [path.name]


def test_a_part_that_somebody_still_writes_is_left_alone(kind, tmp_path):
    path = tmp_path / "file"
    with atomic_file(path) as first:
        first.write(b"first")
        with atomic_file(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"first", ["file"])
