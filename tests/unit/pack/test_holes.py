"""Files with holes, whatever is where: they come back, and what is zero is not stored."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builder.core.errors import PackError
from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.content import read_entry
from builder.pack.image import pack_tree
from builder.pack.settings import PackSettings
from builder.pack.source_dir import read_directory
from builder.pack.source_tar import read_archive
from tests.unit.pack.giants import small_giants

LATEST = 2**34


class Run(NamedTuple):
    """A part of a file: `size` bytes of "data", of "zeros" that the disk stores, or of a "hole" in it."""

    what: str
    size: int


class Giant(NamedTuple):
    """A file of a tree, with a second name if it is `linked`."""

    runs: list[Run]
    xattrs: tuple[tuple[bytes, bytes], ...]
    linked: bool


names = st.binary(min_size=1, max_size=250).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
grains = st.sampled_from([100, 512, 4096])
sizes = st.integers(1, 3000) | st.integers(1, 30_000) | st.builds(int.__mul__, grains, st.integers(1, 3))
runs = st.lists(st.builds(Run, st.sampled_from(["data", "zeros", "hole"]), sizes), max_size=60)
xattrs = st.sampled_from([(), ((b"user.binary", bytes(range(256))),)])
trees = st.dictionaries(names, st.builds(Giant, runs, xattrs, st.booleans()), max_size=4)


SPLIT = b"d" * 90
"""A folder whose name ustar could split off those of its files."""


def pieces(*counts: int) -> dict[bytes, Giant]:
    """Files of so many pieces between holes: the header has room for 4, each block behind it for 21."""
    return {
        b"%d" % count: Giant([Run("data", 100), Run("zeros", 100)] * count, (), linked=False)
        for count in counts
    }


def content(runs: list[Run]) -> bytes:
    return b"".join(
        hashlib.shake_256(bytes([index])).digest(size) if what == "data" else bytes(size)
        for index, (what, size) in enumerate(runs)
    )


def write_runs(path: Path, runs: list[Run]) -> None:
    """Write the content of `runs` with its holes."""
    data, position = content(runs), 0
    with path.open("wb") as file:
        for what, size in runs:
            file.seek(position)
            if what != "hole":
                file.write(data[position : position + size])
            position += size
        file.truncate(position)


def entries(tree: dict[bytes, Giant], folder: Path) -> list[Entry]:
    """`tree` in the order of an image; the content lies in `folder`."""
    found = []
    for index, (name, giant) in enumerate(tree.items()):
        path, stored = SPLIT + b"/" + name, folder / str(index)
        write_runs(stored, giant.runs)
        entry = Entry(path, Kind.FILE, 0o640, 7, 8, 9, stored.stat().st_size, xattrs=giant.xattrs)
        if entry.size:
            entry = entry._replace(open=lambda stored=stored: os.open(stored, os.O_RDONLY))
        found.append(entry)
        if giant.linked:
            found.append(Entry(b"l" + path, Kind.HARDLINK, 0o640, 7, 8, 9, target=path))
    return list(arrange(found))


def seen(tree) -> list[tuple[Entry, bytes]]:
    """The entries of `tree` with their content."""
    return [
        (entry._replace(open=None, identity=None), read_entry(entry) if entry.kind is Kind.FILE else b"")
        for entry in tree
        if entry.path
    ]


def stored(data: bytes, threshold: int, grain: int) -> int:
    """How many bytes of `data` an image holds: blocks of zeros are left out of a giant."""
    if len(data) < threshold:
        return len(data)
    blocks = (data[start : start + grain] for start in range(0, len(data), grain))
    return sum(len(block) for block in blocks if any(block))


@settings(max_examples=60, deadline=None)
@given(trees, grains)
@example(pieces(1, 3, 4, 5), 100)
@example(pieces(24, 25, 26, 45, 46, 47), 100)
def test_a_tree_with_holes_reads_back_equal(tree, grain):
    with TemporaryDirectory() as scratch, small_giants(threshold=3 * grain, grain=grain):
        image, there = Path(scratch) / "o.wsl", entries(tree, Path(scratch))
        pack_tree(there, image, PackSettings(time=LATEST))
        with image.open("rb") as stream, read_archive(stream, Path(scratch)) as back:
            assert seen(back) == seen(there)


@settings(max_examples=60, deadline=None)
@given(trees, grains)
@example({b"just large enough": Giant([Run("hole", 300)], (), linked=False)}, 100)
@example({b"too small": Giant([Run("hole", 299)], (), linked=False)}, 100)
def test_python_reads_the_same_from_what_is_not_zero(tree, grain):
    with TemporaryDirectory() as scratch, small_giants(threshold=3 * grain, grain=grain):
        image, there = Path(scratch) / "o.wsl", entries(tree, Path(scratch))
        pack_tree(there, image, PackSettings(time=LATEST))
        with tarfile.open(image, encoding="utf-8", errors="surrogateescape") as archive:
            members = {member.name.encode("utf-8", "surrogateescape"): member for member in archive}
            for entry in there:
                member = members[entry.path]
                if entry.kind is Kind.FILE:
                    data = read_entry(entry)
                    kept = member.size if member.sparse is None else sum(size for _, size in member.sparse)
                    assert archive.extractfile(member).read() == data
                    assert kept == stored(data, 3 * grain, grain)


@pytest.mark.parametrize("left", [0, 1000, 2048])
def test_a_giant_that_was_cut_is_one_clear_error_and_no_hole(tmp_path, left):
    cut = tmp_path / "cut"
    cut.write_bytes(b"x" * left)
    entry = Entry(b"f", Kind.FILE, 0o644, size=4096, open=lambda: os.open(cut, os.O_RDONLY))
    with small_giants(threshold=1024, grain=512), pytest.raises(PackError, match=r"^/f: changed or was cut"):
        pack_tree([entry], tmp_path / "o.wsl", PackSettings(time=9))


def test_the_bytes_of_a_giant_do_not_depend_on_what_the_disk_stores(tmp_path):
    results = []
    for fill in (False, True):
        source = tmp_path / str(fill)
        source.mkdir()
        with (source / "giant").open("wb") as giant:
            giant.write(b"x" * 3_000_000)
            if fill:
                giant.write(bytes(300 << 20))
            giant.truncate((300 << 20) + 3_000_000)
        os.utime(source / "giant", (1, 1))
        results.append(pack_tree(read_directory(source), tmp_path / "o.wsl", PackSettings(time=9)))
    assert len({result.sha256 for result in results}) == 1
    assert results[1].tar_size < 4 << 20
