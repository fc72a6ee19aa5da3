"""What the programs that WSL and people use make of an image: the same tree, whatever is in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from builder.model.entry import Entry, Kind
from builder.pack.content import read_entry
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.settings import Kind as Compression
from builder.pack.settings import PackSettings
from builder.pack.source_dir import read_directory
from tests.unit.pack.programs import GNU_TAR, ORDINARY_USER, WSL1, WSL2, XATTRS, extract

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
LATEST = 2**33
IMAGES = {
    "members": PackSettings(time=LATEST),
    "single": PackSettings(time=LATEST, single_member=True),
    "xz": PackSettings(time=LATEST, kind=Compression.XZ),
    "zstd": PackSettings(time=LATEST, kind=Compression.ZSTD),
    "none": PackSettings(time=LATEST, kind=Compression.NONE),
}
GNU_OPTIONS = {"members": ("-z",), "single": ("-z",), "xz": ("-J",), "zstd": ("--zstd",), "none": ()}
READERS = [
    *(pytest.param(image, WSL2, id=f"{image}-wsl2") for image in IMAGES),
    # The bsdtar of WSL 1 knows no zstd.
    *(pytest.param(image, WSL1, id=f"{image}-wsl1") for image in IMAGES if image != "zstd"),
    *(
        pytest.param(image, (*GNU_TAR, *XATTRS, *options), id=f"{image}-gnu-tar")
        for image, options in GNU_OPTIONS.items()
    ),
]


def file(path: bytes, data: bytes = b"content", mode: int = 0o644, **more) -> Entry:
    return with_content(Entry(path=path, kind=Kind.FILE, mode=mode, **more), data)


def folder(path: bytes, mode: int = 0o755, **more) -> Entry:
    return Entry(path=path, kind=Kind.DIRECTORY, mode=mode, **more)


def symlink(path: bytes, target: bytes, **more) -> Entry:
    return Entry(path=path, kind=Kind.SYMLINK, mode=0o777, target=target, **more)


def link(path: bytes, target: bytes, mode: int = 0o644) -> Entry:
    return Entry(path=path, kind=Kind.HARDLINK, mode=mode, target=target)


DEEP = [b"/".join([b"p" * 90] * depth) for depth in range(1, 8)]
TREE = sorted(
    [
        folder(b"d", 0o1777, mtime=123, xattrs=((b"user.on-folder", b"1"),)),
        folder(b"d/setgid", 0o2755),
        file(b"d/setuid", mode=0o4755, mtime=1_500_000_000),
        file(b"d/none", mode=0),
        file(b"d/large-ids", uid=3_000_000, gid=4_000_000_000),
        file(b"d/larger-uid", uid=3_000_000_000, gid=3_000_000),
        file(b"d/capability", mode=0o755, xattrs=((b"security.capability", CAPABILITY),)),
        file(b"d/xattrs", xattrs=((b"user.binary", bytes(range(256))), (b"user.empty", b""))),
        symlink(b"d/xattr-on-link", b"none", xattrs=((b"trusted.on-link", b"t\0t"),)),
        Entry(path=b"dev-char", kind=Kind.CHAR, mode=0o666, device=(1, 3)),
        Entry(path=b"dev-block", kind=Kind.BLOCK, mode=0o660, gid=6, device=(259, 1_000_000)),
        Entry(path=b"fifo", kind=Kind.FIFO, mode=0o600),
        link(b"fifo-link", b"fifo", 0o600),
        file(b"h-first", b"shared"),
        link(b"h-second", b"h-first"),
        symlink(b"h-symlink", b"elsewhere"),
        link(b"h-symlink-link", b"h-symlink", 0o777),
        *(file(b"n" * length) for length in (99, 100, 101, 254, 255)),
        folder(b"m" * 99), folder(b"m" * 100), folder(b"m" * 101),
        *map(folder, DEEP),
        file(DEEP[-1] + b"/" + b"f" * 255),
        symlink(b"s180", b"t" * 180),
        symlink(b"s600", b"u/" * 300),
        symlink(b"s-latin", b"\xe9t\xe9"),
        file("ü-Főtanúsítvány.crt".encode()),
        folder("ü-folder-日本".encode()),
        file(b"latin-\xe9"),
        file(b"line\nbreak"), file(b" blanks "), file(b"back\\slash"), file(b"-dash"), file(b"~tilde"),
        file(b"t-epoch", mtime=0), file(b"t-before", mtime=-86_400), file(b"t-2106", mtime=2**32 + 5),
        file(b"z-empty", b""), file(b"z-block", b"b" * 512), file(b"z-large", os.urandom(5_000_001)),
    ],
    key=lambda entry: entry.path.replace(b"/", b"\0"),
)  # fmt: skip


def seen(entry: Entry) -> Entry:
    """`entry` with its content as the identity, so that trees can be compared."""
    digest = hashlib.sha256(read_entry(entry)).hexdigest() if entry.kind is Kind.FILE else ""
    return entry._replace(open=None, identity=digest)


def extract_well(command, image: Path, target: Path, locale: str) -> None:
    """Extract without any message."""
    done = extract(command, image, target, locale=locale)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> dict[str, Path]:
    """The tree as an image of every kind."""
    folder = tmp_path_factory.mktemp("images")
    return {name: pack_tree(TREE, folder / f"{name}.wsl", settings).path for name, settings in IMAGES.items()}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize(("image", "command"), READERS)
def test_the_tree_comes_out_as_it_went_in(tool, images, tmp_path, image, command, locale):
    tool(command[0], "xz", "zstd")
    extract_well(command, images[image], tmp_path / "out", locale)
    found = {entry.path: seen(entry) for entry in read_directory(tmp_path / "out")}
    expected = {entry.path: seen(entry) for entry in TREE}
    assert found.keys() == expected.keys()
    assert [found[path] for path in expected] == list(expected.values())
    assert (tmp_path / "out").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("size", [(3 << 30) + (1 << 29), (9 << 30) + 1])
@pytest.mark.parametrize("command", [WSL2, WSL1, (*GNU_TAR, "-z")], ids=["wsl2", "wsl1", "gnu-tar"])
def test_a_giant_hole_stays_one(tool, tmp_path, command, size):
    tool(command[0])
    source = tmp_path / "source"
    source.mkdir()
    name = b"s" * 120
    with open(os.fsencode(source) + b"/" + name, "wb") as giant:
        for position in (5, 1 << 30, (2 << 30) + 7, (3 << 30) - 1):
            giant.seek(position)
            giant.write(b"data")
        giant.truncate(size)
    result = pack_tree(read_directory(source), tmp_path / "o.wsl", PackSettings(time=LATEST))
    assert result.tar_size < 10 << 20
    extract_well(command, tmp_path / "o.wsl", tmp_path / "out", "C")
    with open(os.fsencode(tmp_path / "out") + b"/" + name, "rb") as giant:
        status = os.fstat(giant.fileno())
        assert status.st_size == size
        assert status.st_blocks * 512 < 16 << 20
        for position in (5, 1 << 30, (2 << 30) + 7, (3 << 30) - 1):
            giant.seek(position - 1)
            assert giant.read(6) == b"\0data\0"


def test_root_or_not_the_bytes_are_the_same(tool):
    tool("setpriv")
    code = (
        "import sys; from pathlib import Path; from builder.pack.image import pack_tree;"
        "from builder.pack.settings import PackSettings; from builder.pack.source_dir import read_directory;"
        "print(pack_tree(read_directory(Path(sys.argv[1])), Path(sys.argv[2]), PackSettings(time=9)).sha256)"
    )
    with tempfile.TemporaryDirectory() as name:  # others get there, as they do not below pytest's own
        folder = Path(name)
        folder.chmod(0o755)
        source = folder / "source"
        (source / "sub").mkdir(parents=True)
        (source / "sub" / "file").write_bytes(b"data")
        (source / "link").symlink_to("sub")
        out = folder / "out"
        out.mkdir()
        out.chmod(0o777)
        digests = set()
        for prefix in ((), ORDINARY_USER):
            command = [*prefix, sys.executable, "-c", code, str(source), str(out / f"{len(prefix)}.wsl")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            digests.add(done.stdout)
    assert len(digests) == 1
