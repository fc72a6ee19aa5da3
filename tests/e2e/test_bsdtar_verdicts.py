"""Our model of bsdtar against bsdtar itself, as root on a real file system, with WSL's arguments."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from builder.extraction.archive import Extracted, extract_to
from builder.extraction.extraction import Extraction
from builder.extraction.shapes import Shape
from builder.model.entry import Kind
from tests.conftest import require
from tests.unit.check.images import (
    Item,
    archive,
    directory,
    file,
    hardlink,
    node,
    pax,
    symlink,
    xattr,
)

pytestmark = pytest.mark.system
COUNT = 500
AT_LEAST = 5
MTIME = 1_700_000_000
USTAR = b"ustar\x0000"
CAPABILITY = bytes.fromhex("0100000200200000") + bytes(12)  # cap_net_raw=ep
Maker = Callable[[random.Random, str], list[Item]]


def _acl(text: str) -> dict[bytes, bytes]:
    return {b"SCHILY.acl.access": text.encode()}


# What makes each shape of trouble; `p` is a prefix that keeps several of them apart.
REFUSED: dict[str, Maker] = {
    "dotdot": lambda r, p: [file(r.choice([f"{p}/../x", f"{p}/..", f"../{p}"]))],
    "empty name": lambda r, p: [Item(name=b"", flag=r.choice([b"0", b"5"]))],
    "through a link": lambda r, p: [symlink(p, r.choice(["usr", "nowhere", "/"])), file(f"{p}/x")],
    "directory through a link": lambda r, p: [directory(f"{p}u"), symlink(p, f"{p}u"), directory(f"{p}/a")],
    "through a file": lambda r, p: [file(p), file(f"{p}/x/y")],
    "target behind a link": lambda r, p: [
        file(f"{p}d/a"),
        symlink(p, f"{p}d"),
        hardlink(f"{p}h", f"{p}/a"),
    ],
    "target missing": lambda r, p: [hardlink(p, f"{p}-missing")],
    "target later": lambda r, p: [hardlink(p, f"{p}t"), file(f"{p}t")],
    "link to itself": lambda r, p: [file(p), hardlink(p, p)],
    "link to a directory": lambda r, p: [directory(p), hardlink(f"{p}h", p)],
    "over a directory": lambda r, p: [
        file(f"{p}/x"),
        r.choice([file(p), symlink(p, "x"), node(p), node(p, b"6")]),
    ],
    "namespace": lambda r, p: [xattr(file(p), r.choice(["foo.bar", "system.x", "user.", "x"]), b"1")],
    "user attribute": lambda r, p: [xattr(r.choice([symlink(p, "x"), node(p, b"6")]), "user.a", b"1")],
    "capability": lambda r, p: [xattr(file(p), "security.capability", b"junk")],
    "attributes too large": lambda r, p: [xattr(file(p), "user.a", b"x" * r.randint(4100, 9000))],
    "acl without mask": lambda r, p: [pax(file(p), _acl("user::rw-,user:7:rw-,group::r--,other::r--"))],
    "long component": lambda r, p: [file(f"{p}/" + "n" * r.randint(256, 400))],
    "long target": lambda r, p: [symlink(p, "t" * r.randint(4096, 5000))],
    "no target": lambda r, p: [symlink(f"{p}l", "x"), symlink(p, "")],
    "path not UTF-8": lambda r, p: [pax(file(p), {b"path": p.encode() + b"\xff"})],
    "target not UTF-8": lambda r, p: [pax(symlink(p, "x"), {b"linkpath": b"\xfe"})],
    "owner not UTF-8": lambda r, p: [pax(file(p), {r.choice([b"uname", b"gname"]): b"\xff"})],
}
ACCEPTED: dict[str, Maker] = {
    "file": lambda r, p: [file(f"{p}/a", "x" * r.randint(0, 2000), r.choice([0o644, 0o4755, 0]))],
    "dotted": lambda r, p: [directory(f"./{p}"), file(f"./{p}//./x")],
    "absolute": lambda r, p: [file(r.choice([f"/{p}", f"/../{p}", f"/./{p}", f"C:{p}"]))],
    "hard link": lambda r, p: [file(p, "x"), hardlink(f"{p}h", r.choice([p, f"./{p}", f"/{p}"]))],
    "link to a link": lambda r, p: [symlink(p, "nowhere"), hardlink(f"{p}h", p)],
    "nodes": lambda r, p: [node(p), node(f"{p}b", b"4", (7, 0)), node(f"{p}f", b"6")],
    "duplicate": lambda r, p: [file(p, "1"), file(p, "2"), directory(f"{p}d"), directory(f"{p}d", 0o700)],
    "directory over link": lambda r, p: [symlink(p, "usr"), directory(p), file(f"{p}/x")],
    "over an empty directory": lambda r, p: [directory(p), r.choice([file(p), symlink(p, "x")])],
    "whiteout": lambda r, p: [file(f"{p}/.wh.gone"), file(f"{p}/.wh..wh..opq")],
    "root": lambda r, p: [directory("./", r.choice([0o755, 0o700]))],
    "long names": lambda r, p: [file("/".join([p, *["d" * 100] * r.randint(1, 45)])), file(p + "n" * 240)],
    "bytes": lambda r, p: [file(p.encode() + b"\xff\xfe"), file(f"{p}-ö")],
    "UTF-8 in pax": lambda r, p: [pax(file(p), {b"path": f"{p}-ö".encode()})],
    "bytes in pax": lambda r, p: [pax(file(p), {b"hdrcharset": b"BINARY", b"path": p.encode() + b"\xff"})],
    "attributes": lambda r, p: [
        xattr(file(p), r.choice(["user.a", "trusted.b", "security.selinux"]), b"x" * r.randint(0, 3000))
    ],
    "acl": lambda r, p: [pax(file(p), _acl("user::rw-,user:7:rw-,group::r--,mask::rw-,other::r--"))],
    "unknown type": lambda r, p: [Item(name=p.encode(), flag=b"q", data=b"x")],
    "no target": lambda r, p: [hardlink(f"{p}h", "")],
    "big owner": lambda r, p: [file(p, uid=r.choice([3_000_000_000, 2**33 + 5, 2**32 - 1]))],
    "owners": lambda r, p: [
        directory(p, 0o2775, uid=7, gid=8),
        file(f"{p}/new/x", "x", 0o6755, uid=9, gid=9),
    ],
    "set-group-ID folder": lambda r, p: [
        directory(p, 0o2775, gid=8),
        directory(f"{p}/a"),
        symlink(f"{p}/b", "a"),
    ],
    "hard link with content": lambda r, p: [
        file(p, "first", 0o600),
        pax(
            hardlink(f"{p}h", p, data=b"second", mode=0o640, uid=5, magic=b"ustar\x0000"), {b"comment": b"x"}
        ),
    ],
    "attributes of others": lambda r, p: [
        xattr(r.choice([directory(p), symlink(p, "x"), node(p, b"6")]), "trusted.a", b"1"),
        xattr(directory(f"{p}d", 0o500), "user.a", b"2"),
        xattr(
            file(f"{p}c", "x", 0o4755, uid=3),
            "security.capability",
            bytes.fromhex("0100000200200000" + "00" * 12),
        ),
    ],
    "acls of folders": lambda r, p: [
        pax(
            directory(p),
            {
                b"SCHILY.acl.access": b"user::rwx,user:joe:r-x:7,group::r-x,mask::rwx,other::---",
                b"SCHILY.acl.default": b"user::rwx\ngroup::r-x\ngroup:9:rwx\nmask::rwx\nother::r--",
            },
        ),
        file(f"{p}/inside"),
    ],
    "acl that says a mode": lambda r, p: [pax(file(p, mode=0o600), _acl("user::rwx,group::r-x,other::r-x"))],
    "acl that is no acl": lambda r, p: [
        pax(file(p, mode=0o600), _acl(r.choice(["nonsense", "user:rw-", "x::rwx,other::r--"])))
    ],
}
CUT = "cut"


def generate() -> list[tuple[str, bytes]]:
    """500 archives: each third or so has one trouble among harmless members."""
    random_ = random.Random(20250601)
    refused = sorted(REFUSED)
    made = []
    for index in range(COUNT):
        names = random_.choices(sorted(ACCEPTED), k=random_.randint(1, 6))
        makers = [ACCEPTED[name] for name in names]
        kind = (refused[(index // 2) % len(refused)] if index % 40 else CUT) if index % 2 == 0 else ""
        if kind and kind != CUT:
            makers.insert(random_.randint(0, len(makers)), REFUSED[kind])
        items = [item for number, make in enumerate(makers) for item in make(random_, f"p{number}")]
        data = archive(*items)
        if kind == CUT:
            data = archive(*items, file("last", "x" * 5000))[: -1024 - random_.randint(100, 5000)]
        made.append((kind, data))
    return made


class Written(NamedTuple):
    """All that can be asked about a path. Names of one inode have the same number; `content` may be a target,
    `made_now` is whether its time is not the archive's."""

    number: int
    mode: int
    uid: int
    gid: int
    device: int
    content: bytes
    xattrs: dict[str, bytes]
    made_now: bool


@dataclass(frozen=True)
class Outcome:
    """What bsdtar and what we made of one archive."""

    kind: str
    status: int
    complaint: str
    ours: Extracted
    real_tree: dict[bytes, Written]
    our_tree: dict[bytes, Written]


def extract_with_bsdtar(archive: Path, folder: Path) -> tuple[int, str]:
    """What bsdtar exits with and says, called as WSL 2 calls it."""
    command = ["bsdtar", "-C", str(folder), "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-"]
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with archive.open("rb") as file:
        done = subprocess.run(command, stdin=file, env=environment, capture_output=True, umask=0o022)
    return done.returncode, done.stderr.decode("utf-8", "replace")


def snapshot(folder: Path) -> dict[bytes, Written]:
    """Everything below `folder`, and itself; paths may be longer than the kernel takes."""
    found: dict[bytes, Written] = {}
    inodes: dict[int, int] = {}
    for below, folders, files, descriptor in os.fwalk(os.fsencode(folder)):
        for name in (b".", *sorted(folders), *sorted(files)):
            status = os.lstat(name, dir_fd=descriptor)
            if name == b"." or not stat.S_ISDIR(status.st_mode):
                number = inodes.setdefault(status.st_ino, len(inodes))
                path = below.removeprefix(os.fsencode(folder)) + b"/" + name
                found[path] = describe(number, f"/proc/self/fd/{descriptor}/".encode() + name, status)
    return found


def describe(number: int, place: bytes, status: os.stat_result) -> Written:
    content = b""
    if stat.S_ISREG(status.st_mode):
        content = Path(os.fsdecode(place)).read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(place)
    names = os.listxattr(place, follow_symlinks=False)
    return Written(
        number=number,
        mode=status.st_mode,
        uid=status.st_uid,
        gid=status.st_gid,
        device=status.st_rdev,
        content=content,
        xattrs={name: os.getxattr(place, name, follow_symlinks=False) for name in names},
        made_now=status.st_mtime_ns != MTIME * 10**9,
    )


def try_one(kind: str, data: bytes, folder: Path) -> Outcome:
    archive_file, real, ours = folder / "archive", folder / "real", folder / "ours"
    for new in (folder, real, ours):
        new.mkdir()
    archive_file.write_bytes(data)
    try:
        status, complaint = extract_with_bsdtar(archive_file, real)
        extracted = extract_to(archive_file, ours, Extraction())
        return Outcome(kind, status, complaint, extracted, snapshot(real), snapshot(ours))
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    require(os.geteuid() == 0, "this test needs root")
    require(shutil.which("bsdtar") is not None, "not installed: bsdtar (tests/install-tools installs it)")
    folder = tmp_path_factory.mktemp("verdicts")
    return [try_one(kind, data, folder / str(index)) for index, (kind, data) in enumerate(generate())]


def test_our_verdict_is_bsdtars_exit_status(outcomes: list[Outcome]) -> None:
    for index, outcome in enumerate(outcomes):
        told = (
            f"archive {index} ({outcome.kind or 'harmless'}): {outcome.ours.complaints} {outcome.complaint}"
        )
        assert outcome.ours.refused == (outcome.status != 0), told
        assert bool(outcome.ours.complaints) == bool(outcome.ours.rule) == outcome.ours.refused


def test_there_are_enough_archives_of_each_shape(outcomes: list[Outcome]) -> None:
    assert sum(outcome.ours.refused for outcome in outcomes) >= 0.3 * COUNT
    kinds = Counter(outcome.kind for outcome in outcomes)
    assert min(kinds[kind] for kind in (*REFUSED, CUT)) >= AT_LEAST
    shapes = Counter(shape for outcome in outcomes for shape in outcome.ours.extraction.counts)
    silent = (Shape.DIRECTORY_OVER_LINK, Shape.DUPLICATE, Shape.WHITEOUT, Shape.NOT_ASCII, Shape.EMPTY_TARGET)
    assert min(shapes[shape] for shape in silent) >= AT_LEAST


def test_what_we_write_is_what_bsdtar_writes(outcomes: list[Outcome]) -> None:
    accepted = [outcome for outcome in outcomes if outcome.status == 0]
    assert len(accepted) >= 200
    for outcome in accepted:
        assert outcome.ours.unwritten == ()
        assert outcome.our_tree == outcome.real_tree


def test_the_model_knows_what_was_written(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        nodes = outcome.ours.extraction.tree.nodes
        for path, real in outcome.real_tree.items() if outcome.status == 0 else ():
            node = nodes[path.removesuffix(b"/.").removeprefix(b"/")]
            assert (node.uid, node.gid) == (real.uid, real.gid)
            if node.kind is not Kind.SYMLINK and "system.posix_acl_access" not in real.xattrs:
                assert node.mode == stat.S_IMODE(real.mode)
