from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from functools import partial
from pathlib import Path

import pytest

from builder.core.errors import PackError, UsageError
from builder.model.entry import Entry, Kind
from builder.pack import holes
from builder.pack.image import pack_tree, packed_tree
from builder.pack.keys import LAYOUT
from builder.pack.memory import with_content
from builder.pack.settings import Kind as Compression
from builder.pack.settings import PackSettings, Preset
from builder.pack.source_dir import read_directory
from tests.unit.pack.programs import ORDINARY_USER

TIME = 1_700_000_000


def file(path: bytes, data: bytes, **more) -> Entry:
    return with_content(Entry(path=path, kind=Kind.FILE, mode=0o644, **more), data)


def noise(size: int, seed: int = 1) -> bytes:
    return hashlib.shake_256(bytes([seed])).digest(size)


TREE = (
    Entry(path=b"bin", kind=Kind.DIRECTORY, mode=0o755, mtime=5),
    file(b"bin/a", noise(700_000, 1), mtime=TIME + 9),
    file(b"bin/b", noise(5_000_001, 2), uid=3_000_000),
    Entry(path=b"bin/c", kind=Kind.HARDLINK, mode=0o644, target=b"bin/a"),
    *(file(b"bin/d%03d" % index, noise(40_000, index)) for index in range(120)),
    Entry(path=b"lib", kind=Kind.SYMLINK, mode=0o777, target=b"usr/lib"),
)
EVEN_TREE = tuple(file(b"f%d" % index, noise(500, index) * 14_000) for index in range(4))
"""Several segments for xz too, which takes long for noise."""


def pack(path, entries=TREE, **settings):
    return pack_tree(entries, path, PackSettings(time=TIME, **settings))


def test_the_result_describes_the_file_and_the_archive_in_it(tmp_path):
    result = pack(tmp_path / "o.wsl")
    data = (tmp_path / "o.wsl").read_bytes()
    tar = gzip.decompress(data)
    assert (result.size, result.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (result.tar_size, result.tar_sha256) == (len(tar), hashlib.sha256(tar).hexdigest())
    assert result.entries == len(TREE) + 1
    assert result.compressor.startswith("gzip: deflate ")


def test_python_reads_back_every_entry(tmp_path):
    pack(tmp_path / "o.wsl")
    with tarfile.open(tmp_path / "o.wsl") as archive:
        members = {member.name: member for member in archive}
        assert archive.extractfile("bin/b").read() == noise(5_000_001, 2)
        assert archive.extractfile("bin/d007").read() == noise(40_000, 7)
    assert list(members)[:5] == [".", "bin", "bin/a", "bin/b", "bin/c"]
    assert (members["."].mode, members["."].mtime) == (0o755, TIME)
    assert (members["bin"].mtime, members["bin/a"].mtime) == (5, TIME)
    assert members["bin/c"].islnk()
    assert (members["lib"].issym(), members["lib"].linkname) == (True, "usr/lib")


@pytest.mark.parametrize(
    ("tree", "settings"),
    [
        (TREE, {}),
        (TREE, {"single_member": True}),
        (TREE, {"kind": Compression.ZSTD}),
        (EVEN_TREE, {"kind": Compression.XZ}),
    ],
    ids=["gzip", "single-member", "zstd", "xz"],
)
def test_the_bytes_do_not_depend_on_the_threads(tmp_path, tree, settings):
    results = [pack(tmp_path / "o.wsl", tree, threads=threads, **settings) for threads in (1, 2, 8)]
    assert len({result.sha256 for result in results}) == 1
    assert results[0].segments > 3


def test_every_compressor_packs_the_same_archive(tmp_path):
    kinds = [{"kind": kind} for kind in Compression]
    presets = [{"preset": preset} for preset in Preset]
    results = [pack(tmp_path / "o.wsl", **more) for more in (*kinds, *presets, {"single_member": True})]
    assert len({result.tar_sha256 for result in results}) == 1
    assert len({result.compressor for result in results}) == 7


def first_member(data: bytes) -> bytes:
    return zlib.decompressobj(31).decompress(data)


def test_a_reader_of_the_first_member_alone_fails(tmp_path):
    pack(tmp_path / "o.wsl")
    first = first_member((tmp_path / "o.wsl").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(first), mode="r|") as archive, pytest.raises(tarfile.ReadError):
        for _ in archive:
            pass


def test_a_tree_without_content_is_one_member(tmp_path):
    empty = (Entry(path=b"a", kind=Kind.DIRECTORY, mode=0o755), Entry(path=b"b", kind=Kind.FILE, mode=0o644))
    pack(tmp_path / "o.wsl", empty)
    data = (tmp_path / "o.wsl").read_bytes()
    assert first_member(data) == gzip.decompress(data)


def test_a_single_member_is_one_member(tmp_path):
    pack(tmp_path / "o.wsl", single_member=True)
    data = (tmp_path / "o.wsl").read_bytes()
    assert first_member(data) == gzip.decompress(data)


def test_a_single_member_of_anything_but_gzip_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"was asked for with xz, [^\n]*\n  fix: leave out --single-member"):
        pack(tmp_path / "o.wsl", single_member=True, kind=Compression.XZ)


@pytest.mark.parametrize("order", [(1, 0), (0, 0)])
def test_unsorted_entries_are_a_bug(tmp_path, order):
    entries = (file(b"a", b"1"), file(b"b", b"2"))
    with pytest.raises(ValueError, match="not sorted"):
        pack(tmp_path / "o.wsl", [entries[index] for index in order])


def test_a_link_before_its_target_is_a_bug(tmp_path):
    link = Entry(path=b"a", kind=Kind.HARDLINK, mode=0o644, target=b"b")
    with pytest.raises(ValueError, match="precedes its target"):
        pack(tmp_path / "o.wsl", [link, file(b"b", b"2")])


def left(folder) -> list[str]:
    return [item.name for item in folder.iterdir()]


def test_a_failed_pack_leaves_the_former_image(tmp_path):
    out = tmp_path / "out" / "o.wsl"
    before = pack(out)
    with pytest.raises(PackError):
        pack(out, (*TREE, Entry(path=b"x/../y", kind=Kind.FILE, mode=0o644)))
    assert hashlib.sha256(out.read_bytes()).hexdigest() == before.sha256
    assert left(out.parent) == ["o.wsl"]


@pytest.fixture
def tree(tmp_path):
    """A folder with enough files to still be reading when a test changes one."""
    root = tmp_path / "tree"
    root.mkdir()
    for index in range(3):
        (root / f"f{index}").write_bytes(noise(3_000_000, index))
    return root


def when_listed(root, name: str, act, *, trust_mtime: bool):
    """The entries of `root`; `act` happens when `name` has been listed and nothing of it read."""
    for entry in read_directory(root, trust_mtime=trust_mtime):
        if entry.path == name.encode():
            act()
        yield entry


@pytest.mark.parametrize(
    "act",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"short"),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: path.write_bytes(path.read_bytes()),
    ],
    ids=["vanished", "cut", "grown", "rewritten"],
)
@pytest.mark.parametrize("trust_mtime", [False, True])
def test_a_file_that_is_not_what_was_listed_is_one_clear_error(tmp_path, tree, monkeypatch, act, trust_mtime):
    out = tmp_path / "out"
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)
    with pytest.raises(PackError, match=r"^/f2: changed or was cut while it was read"):
        pack(out / "o.wsl", when_listed(tree, "f2", lambda: act(tree / "f2"), trust_mtime=trust_mtime))
    assert not out.exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(13, "Permission denied"),
            r"^/f: cannot be read: Permission denied\n  fix: check its perm",
        ),
        (OSError(5, "Input/output error"), r"^/f: cannot be read: Input/output error"),
        (FileNotFoundError(2, "No such file"), r"^/f: changed or was cut"),
    ],
)
def test_a_file_that_cannot_be_opened_is_one_clear_error(tmp_path, error, message):
    def refuse():
        raise error

    entry = Entry(path=b"f", kind=Kind.FILE, mode=0o644, size=5, open=refuse)
    with pytest.raises(PackError, match=message):
        pack(tmp_path / "out" / "o.wsl", (entry,))
    assert left(tmp_path) == []


PACK = """
import sys
from pathlib import Path
from builder.core.errors import PackError
from builder.pack.image import pack_tree
from builder.pack.settings import PackSettings
from builder.pack.source_dir import read_directory

try:
    pack_tree(read_directory(Path(sys.argv[1])), Path(sys.argv[2]), PackSettings(time=9))
except PackError as error:
    print(error)
"""


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "mode", "fix"),
    [
        ("secret", 0, "check its permissions and the disk; for a folder of root's files run as root"),
        ("closed", 0, "check permissions and the disk; for a folder of root's files run as root"),
        ("closed", 0o444, "check permissions and the disk; for a folder of root's files run as root"),
    ],
    ids=["file", "folder", "folder-without-search"],
)
def test_what_an_ordinary_user_may_not_read_is_one_clear_error(root, tool, name, mode, fix):
    tool("setpriv")
    with tempfile.TemporaryDirectory() as scratch:  # others get there, as they do not below pytest's own
        source, out = Path(scratch) / "source", Path(scratch) / "out"
        (source / "closed").mkdir(parents=True)
        for path in (source / "a", source / "closed" / "b", source / "secret"):
            path.write_bytes(b"data")
        out.mkdir()
        for path, bits in ((Path(scratch), 0o755), (out, 0o777), (source / name, mode)):
            path.chmod(bits)
        command = [*ORDINARY_USER, sys.executable, "-c", PACK, str(source), str(out / "o.wsl")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == f"/{name}: cannot be read: Permission denied\n  fix: {fix}\n"
        assert left(out) == []


@pytest.mark.system
def test_tar_programs_list_a_plain_file_of_more_than_8_gib_with_its_size(tool, tmp_path, monkeypatch):
    """8 GiB are what eleven octal digits can say."""
    tool("bsdtar", "tar", "zstd")
    size = (8 << 30) + 1
    monkeypatch.setattr(holes, "THRESHOLD", size + 1)
    opener = partial(os.open, "/dev/zero", os.O_RDONLY)
    giant = Entry(path=b"giant", kind=Kind.FILE, mode=0o644, mtime=500_000_000, size=size, open=opener)
    pack(tmp_path / "o.wsl", (giant, file(b"next", b"data")), kind=Compression.ZSTD, tar_digest=False)
    for program in (("bsdtar",), ("tar", "--zstd")):
        command = [*program, "--numeric-owner", "-tvf", tmp_path / "o.wsl"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        assert [line.split()[-1] for line in listed] == ["./", "giant", "next"]
        assert f" {size} " in listed[1] and "1985" in listed[1]
        assert " 4 " in listed[2]


def test_a_layer_that_lost_bytes_is_one_clear_error(tmp_path):
    with pytest.raises(PackError, match=r"^/f: changed or was cut"):
        pack(tmp_path / "o.wsl", (file(b"f", b"data")._replace(size=5),))


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PackError, match=r"o.wsl: the image cannot be written"):
        pack(tmp_path / "file" / "o.wsl")


@pytest.mark.system
def test_a_full_disk_is_one_clear_error(root, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", small], check=True)
    try:
        with pytest.raises(
            PackError, match=r"the image cannot be written: No space left on device\n  fix: make room"
        ):
            pack(small / "o.wsl")
        assert left(small) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_the_layout_is_the_one_that_cached_images_have(tmp_path):
    """When this fails on purpose, raise `builder.pack.keys.LAYOUT`: images kept by key are stale then."""
    assert LAYOUT == 1
    result = pack(tmp_path / "o.wsl")
    assert result.tar_sha256 == "33db034874909b6fa583685a5b3e4f543258b7c952a8375652694c3010248ff4"
    assert result.segments == 12


def test_whoever_watches_sees_each_small_file_once_and_no_other(tmp_path):
    seen = []
    settings = PackSettings(time=TIME)
    with packed_tree(
        TREE, tmp_path / "o.wsl", settings, watch=lambda entry, data: seen.append((entry.path, bytes(data)))
    ):
        pass
    small = {b"bin/a": noise(700_000, 1)} | {b"bin/d%03d" % i: noise(40_000, i) for i in range(120)}
    assert sorted(seen) == sorted(small.items())
