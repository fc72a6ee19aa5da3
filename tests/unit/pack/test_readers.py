"""What each reader restores of an image: the table of decision 0007, and no silent loss beyond it."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from builder.model.entry import Entry, Kind
from builder.pack.content import read_entry
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.settings import PackSettings
from builder.pack.source_dir import read_directory
from tests.unit.pack.giants import GRAIN, small_giants
from tests.unit.pack.programs import (
    BUSYBOX,
    GNU_TAR,
    ORDINARY_USER,
    PYTHON,
    SEVEN_ZIP,
    SEVEN_ZIP_PIPE,
    WSL1,
    WSL2,
    XATTRS,
    extract,
)

DECISION = Path(__file__).resolve().parents[3] / "docs" / "decisions" / "0007-packing.md"
TABLE = """\
| | bsdtar | GNU tar `--xattrs` | GNU tar | Python `tarfile` | busybox | 7z |
|---|---|---|---|---|---|---|
| names, content, permissions, times of files | kept | kept | kept | kept | kept | kept |
| hard links, symbolic links to what lies below | kept | kept | kept | kept | kept | kept |
| owners of files and folders | kept | kept | kept | kept | kept | lost |
| setuid, setgid, sticky | kept | kept | kept | kept | kept | lost |
| permissions that the umask withholds | kept | kept | kept | kept | kept | lost |
| devices, fifos | kept | kept | kept | kept | kept | lost |
| times of folders | kept | kept | kept | kept | lost | kept |
| times of symbolic links | kept | kept | kept | lost | lost | kept |
| owners of symbolic links | kept | kept | kept | kept | lost | lost |
| absolute symbolic links | kept | kept | kept | kept | kept | lost |
| symbolic links with `..` | kept | kept | kept | kept | kept | fails |
| hard links to symbolic links | kept | kept | kept | lost | kept | fails |
| extended attributes | kept | kept | lost | lost | lost | lost |
| holes | kept | kept | kept | kept | fails | lost |
"""
HEAD, _, *ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines()]
FATES = {(reader, row): fate for row, *fates in ROWS for reader, fate in zip(HEAD[1:], fates, strict=True)}
"""What becomes of a property: `kept`; `lost` in silence; the reader `fails` and says so."""
COMMANDS = {
    "wsl1": ("bsdtar", WSL1),
    "wsl2": ("bsdtar", WSL2),
    "gnu-tar-xattrs": ("GNU tar `--xattrs`", (*GNU_TAR, *XATTRS, "-z")),
    "gnu-tar": ("GNU tar", (*GNU_TAR, "-z")),
    "python": ("Python `tarfile`", PYTHON),
    "busybox": ("busybox", BUSYBOX),
    "7z": ("7z", SEVEN_ZIP),
}
COMPLAINTS = {
    ("busybox", "holes"): "unknown typeflag: 0x53",
    ("7z", "symbolic links with `..`"): "Dangerous link path was ignored : e/up",
    ("7z", "hard links to symbolic links"): "Dangerous link via another link was ignored",
}

NOISE = hashlib.shake_256(b"reader").digest(3_000_000)
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def file(path: str, data: bytes = b"x", mode: int = 0o644, **more) -> Entry:
    return with_content(Entry(path=os.fsencode(path), kind=Kind.FILE, mode=mode, **more), data)


def folder(path: str, mode: int = 0o755, **more) -> Entry:
    return Entry(path=path.encode(), kind=Kind.DIRECTORY, mode=mode, **more)


def symlink(path: str, target: bytes, **more) -> Entry:
    return Entry(path=path.encode(), kind=Kind.SYMLINK, mode=0o777, target=target, **more)


def link(path: str, target: bytes, mode: int, mtime: int = 0) -> Entry:
    return Entry(path=path.encode(), kind=Kind.HARDLINK, mode=mode, mtime=mtime, target=target)


PLAIN = [
    folder("d", 0o750, mtime=5),
    file("d/" + "n" * 200, mtime=6),
    file("d/" + "n" * 255),
    file("d/\udce9t\udce9"),
    file("d/ü-日本"),
    file("d/line\nbreak"),
    file("d/back\\slash"),
    file("d/before", mtime=-86_400),
    file("d/in-2106", mtime=2**32 + 5),
    file("d/none", mode=0),
    folder("m" * 120, mtime=8),
    file("m" * 120 + "/" + "k" * 120),
    *(file(f"z{index:03}", NOISE[index * 9000 :][:20_000]) for index in range(200)),
]
LINKS = [
    file("f", NOISE, mtime=9),
    link("g", b"f", 0o644, mtime=9),
    symlink("h", b"f"),
    symlink("i", b"t" * 150),
    symlink("j", b"n\xe9nt"),
]


class Property(NamedTuple):
    """A row of the table: `entries` that show it, and the (path, feature) that differ where it is lost."""

    entries: list[Entry]
    loss: set[tuple[bytes, str]]


PROPERTIES = {
    "names, content, permissions, times of files": Property(PLAIN, set()),
    "hard links, symbolic links to what lies below": Property(LINKS, set()),
    "owners of files and folders": Property(
        [folder("o", uid=70_000, gid=3), file("o/f", uid=3_000_000_000, gid=4_000_000_000)],
        {(b"o", "owner"), (b"o/f", "owner")},
    ),
    "setuid, setgid, sticky": Property(
        [
            folder("s", 0o1755),
            folder("s/gid", 0o2755),
            file("s/gid/f", mode=0o2755),
            file("s/uid", mode=0o4755),
        ],
        {(path, "special bits") for path in (b"s", b"s/gid", b"s/gid/f", b"s/uid")},
    ),
    "permissions that the umask withholds": Property(
        [folder("w", 0o777), file("w/f", mode=0o666)], {(b"w", "permissions"), (b"w/f", "permissions")}
    ),
    "devices, fifos": Property(
        [
            Entry(b"p-block", Kind.BLOCK, 0o660, device=(259, 1_000_000)),
            Entry(b"p-char", Kind.CHAR, 0o666, mtime=3, device=(1, 3)),
            Entry(b"p-fifo", Kind.FIFO, 0o600),
        ],
        {(b"p-block", "kind"), (b"p-char", "kind"), (b"p-fifo", "kind")},
    ),
    "owners of symbolic links": Property([symlink("q", b"f", uid=70, gid=71)], {(b"q", "owner")}),
    "absolute symbolic links": Property([symlink("r", b"/etc/passwd")], {(b"r", "target")}),
    "symbolic links with `..`": Property([folder("e"), symlink("e/up", b"../f")], {(b"e/up", "kind")}),
    "hard links to symbolic links": Property(
        [
            file("t", mtime=3),
            symlink("u", b"t"),
            link("u-second", b"u", 0o777),
            symlink("v", b"nothing"),
            link("v-second", b"v", 0o777),
        ],
        {(b"t", "permissions"), (b"t", "time"), (b"v-second", "kind")},
    ),
    "extended attributes": Property(
        [
            file("x", xattrs=((b"security.capability", CAPABILITY),)),
            file("x-binary", xattrs=((b"user.binary", bytes(range(256))),)),
        ],
        {(b"x", "xattrs"), (b"x-binary", "xattrs")},
    ),
    "holes": Property(
        [file("y", b"a" * GRAIN + bytes(9 * GRAIN) + b"b"), file("y-after")], {(b"y", "holes")}
    ),
}
TREE = [entry for row in PROPERTIES.values() for entry in row.entries]
for what, kind in (("folders", Kind.DIRECTORY), ("symbolic links", Kind.SYMLINK)):
    PROPERTIES[f"times of {what}"] = Property(
        [], {(entry.path, "time") for entry in TREE if entry.kind is kind}
    )


def pack(entries: list[Entry], folder: Path) -> Path:
    """An image of `entries`, given in any order."""
    tree = sorted(entries, key=lambda entry: entry.path.replace(b"/", b"\0"))
    with small_giants():
        return pack_tree(tree, folder / "o.wsl", PackSettings(time=2**33)).path


def features(entry: Entry, *, holes: bool) -> dict[str, object]:
    """What can be compared of `entry`, of which a second name has little that is its own."""
    if entry.kind is Kind.HARDLINK:
        return {"kind": entry.kind, "target": entry.target}
    return {
        "kind": entry.kind,
        "permissions": entry.mode & 0o777,
        "special bits": entry.mode & 0o7000,
        "owner": (entry.uid, entry.gid),
        "time": entry.mtime,
        "target": entry.target,
        "device": entry.device,
        "xattrs": entry.xattrs,
        "content": read_entry(entry) if entry.kind is Kind.FILE else b"",
        "holes": holes,
    }


def has_holes(path: bytes) -> bool:
    status = os.lstat(path)
    return status.st_blocks * 512 + GRAIN < status.st_size


def differences(entries: list[Entry], out: Path) -> set[tuple[bytes, str]]:
    """The (path, feature) of what in the folder `out` is not as in `entries`; another kind is that alone."""
    found = {entry.path: entry for entry in read_directory(out)}
    different = {(path, "name") for path in found.keys() ^ {entry.path for entry in entries}}
    for entry in entries:
        if entry.path in found:
            expected = features(entry, holes=entry.path == b"y")
            actual = features(found[entry.path], holes=has_holes(os.fsencode(out) + b"/" + entry.path))
            wrong = [feature for feature in expected if expected[feature] != actual.get(feature)]
            different.update((entry.path, feature) for feature in (["kind"] if "kind" in wrong else wrong))
    return different


def test_the_table_is_that_of_the_decision():
    assert TABLE in DECISION.read_text(encoding="utf-8")
    assert {row for _, row in FATES} == PROPERTIES.keys()
    assert {pair for pair, fate in FATES.items() if fate == "fails"} == COMPLAINTS.keys()


@pytest.mark.system
@pytest.mark.parametrize("name", COMMANDS)
def test_a_reader_loses_in_silence_what_the_table_says_and_nothing_else(root, tool, tmp_path, name):
    tool("bsdtar", "busybox", "7z")
    reader, command = COMMANDS[name]
    fates = {row: fate for (who, row), fate in FATES.items() if who == reader}
    entries = [entry for row, fate in fates.items() if fate != "fails" for entry in PROPERTIES[row].entries]
    done = extract(command, pack(entries, tmp_path), tmp_path / "out")
    assert done.returncode == 0, done.stderr
    lost = {loss for row, fate in fates.items() if fate == "lost" for loss in PROPERTIES[row].loss}
    there = {entry.path for entry in entries}
    assert differences(entries, tmp_path / "out") == {loss for loss in lost if loss[0] in there}


@pytest.mark.system
@pytest.mark.parametrize(("reader", "row"), COMPLAINTS)
def test_a_reader_that_fails_says_so(root, tool, tmp_path, reader, row):
    tool("busybox", "7z")
    command = next(command for who, command in COMMANDS.values() if who == reader)
    done = extract(command, pack(PROPERTIES[row].entries, tmp_path), tmp_path / "out")
    assert done.returncode != 0
    assert COMPLAINTS[reader, row] in done.stderr.decode()


@pytest.mark.system
def test_7z_does_not_pass_over_holes_in_silence_when_it_reads_from_a_pipe(root, tool, tmp_path):
    tool("7z")
    entries = PROPERTIES["holes"].entries
    done = extract(SEVEN_ZIP_PIPE, pack(entries, tmp_path), tmp_path / "out")
    assert done.returncode != 0 or differences(entries, tmp_path / "out") <= PROPERTIES["holes"].loss


@pytest.mark.system
@pytest.mark.parametrize("name", ["wsl1", "wsl2", "gnu-tar", "python", "busybox"])
def test_an_ordinary_user_owns_what_comes_out_and_is_told_of_devices_that_do_not(root, tool, name):
    tool("bsdtar", "busybox", "setpriv")
    with tempfile.TemporaryDirectory() as scratch:  # others get there, as they do not below pytest's own
        Path(scratch).chmod(0o755)
        out = Path(scratch) / "out"
        out.mkdir()
        os.chown(out, 65534, 65534)
        owned, devices = (
            PROPERTIES["owners of files and folders"].entries,
            PROPERTIES["devices, fifos"].entries,
        )
        done = extract((*ORDINARY_USER, *COMMANDS[name][1]), pack(owned + devices, Path(scratch)), out)
        assert b"Operation not permitted" in done.stderr
        found = {entry.path: (entry.uid, entry.gid) for entry in read_directory(out)}
        found.pop(b"p-fifo", None)
        assert found == {entry.path: (65534, 65534) for entry in owned}


@pytest.fixture
def image(tmp_path):
    return pack(PLAIN + LINKS, tmp_path)


def test_python_tarfile_extracts_every_name(image, tmp_path):
    filters = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
    with tarfile.open(image) as archive:
        archive.extractall(tmp_path / "out", **filters)
    expected = {entry.path: (entry.kind, entry.target) for entry in PLAIN + LINKS}
    assert {e.path: (e.kind, e.target) for e in read_directory(tmp_path / "out")} == expected


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


def test_every_member_unpacks_to_the_archive(image):
    assert gzip.decompress(image.read_bytes())[-1024:] == bytes(1024)


@pytest.mark.system
@pytest.mark.parametrize(
    "command",
    [
        ("gzip", "-dc"),
        ("pigz", "-dc"),
        ("busybox", "gunzip", "-c"),
        ("7z", "x", "-si", "-so", "-tgzip"),
    ],
    ids=["gzip", "pigz", "busybox", "7z"],
)
def test_programs_that_only_expand_expand_every_member(tool, image, command):
    tool(command[0])
    with image.open("rb") as stream:
        done = subprocess.run(command, stdin=stream, capture_output=True, check=True)
    assert done.stdout == gzip.decompress(image.read_bytes())
