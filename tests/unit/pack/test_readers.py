"""What readers other than bsdtar and GNU tar make of an image: less, but never less without saying so."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import tarfile

import pytest

from builder.model.entry import Entry, Kind
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.settings import PackSettings
from builder.pack.source_dir import read_directory

NOISE = hashlib.shake_256(b"reader").digest(3_000_000)


def file(path: str, data: bytes = b"x", **more) -> Entry:
    return with_content(Entry(path=path.encode(), kind=Kind.FILE, mode=0o4755, **more), data)


TREE = [
    Entry(b"d", Kind.DIRECTORY, 0o1777, mtime=5),
    file("d/" + "n" * 200, mtime=6),
    file("e", uid=70_000, gid=3),
    file("f", NOISE, mtime=9),
    Entry(b"g", Kind.HARDLINK, 0o4755, mtime=9, target=b"f"),
    Entry(b"h", Kind.SYMLINK, 0o777, target=b"t" * 150),
    Entry(b"i", Kind.FIFO, 0o600),
    *(file(f"z{index:03}", NOISE[index * 9000 :][:20_000]) for index in range(200)),
]


@pytest.fixture
def image(tmp_path):
    pack_tree(TREE, tmp_path / "o.wsl", PackSettings(time=10**9))
    return tmp_path / "o.wsl"


def names(tree) -> list[bytes]:
    return [entry.path for entry in tree]


def test_python_tarfile_extracts_all_but_extended_attributes(image, tmp_path):
    filters = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
    with tarfile.open(image) as archive:
        archive.extractall(tmp_path / "out", **filters)
    found = list(read_directory(tmp_path / "out"))
    assert names(found) == names(TREE)
    assert [(entry.kind, entry.target) for entry in found] == [(entry.kind, entry.target) for entry in TREE]


@pytest.mark.parametrize("mode", ["r|gz", "r|*"])
def test_python_tarfile_in_stream_mode_fails_after_the_first_member(image, mode):
    """It knows one gzip member only. Were the cut between two entries, it would end early and not say so."""
    with (
        image.open("rb") as stream,
        tarfile.open(fileobj=stream, mode=mode) as archive,
        pytest.raises(tarfile.ReadError),
    ):
        for member in archive:
            if member.isreg():
                archive.extractfile(member).read()


@pytest.mark.system
@pytest.mark.parametrize(
    "command",
    [
        ("busybox", "tar", "-x", "-z", "-p", "-f"),
        ("sh", "-ec", '7z x -so -tgzip "$1" | 7z x -si -ttar -snl -y -bd >/dev/null', "sh"),
        ("sh", "-ec", 'pigz -dc "$1" | tar -x', "sh"),
        ("sh", "-ec", 'busybox gunzip -c <"$1" | tar -x', "sh"),
    ],
    ids=["busybox", "7z", "pigz", "busybox-gunzip"],
)
def test_other_programs_read_every_member(root, tool, image, tmp_path, command):
    tool("busybox", "7z", "pigz")
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run([*command, image], cwd=out, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {entry.path: entry for entry in read_directory(out)}
    missing = {entry.path for entry in TREE} - found.keys()
    assert not missing or ("7z" in " ".join(command) and missing == {b"i"})
    assert (out / "f").read_bytes() == (out / "g").read_bytes() == NOISE
    assert os.readlink(out / "h") == "t" * 150


def test_every_member_unpacks_to_the_archive(image):
    assert gzip.decompress(image.read_bytes())[-1024:] == bytes(1024)
