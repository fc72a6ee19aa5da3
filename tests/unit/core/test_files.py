"""Files are there whole or not at all, on file systems with and without nameless files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from builder.core.files import atomic_file, write_atomic

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


def _kill_writer(path, kind):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path, kind], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"written\n"
    names = os.listdir(path.parent)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    return names


def test_a_killed_writer_leaves_nothing(tmp_path):
    with atomic_file(tmp_path / "probe") as file:
        if os.fstat(file.fileno()).st_nlink:
            pytest.skip("this file system has no nameless files")
    (tmp_path / "probe").unlink()
    assert _kill_writer(tmp_path / "file", "nameless") == []
    assert os.listdir(tmp_path) == []


def test_without_nameless_files_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    path = tmp_path / "[a]"
    _kill_writer(path, "named")
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".[a].") and left.endswith(".part")
    write_atomic(path, b"whole")
    assert os.listdir(tmp_path) == ["[a]"]


def test_a_part_that_somebody_still_writes_is_left_alone(kind, tmp_path):
    path = tmp_path / "file"
    with atomic_file(path) as first:
        first.write(b"first")
        with atomic_file(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"first", ["file"])
