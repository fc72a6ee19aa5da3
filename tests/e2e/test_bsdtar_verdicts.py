"""Our model of bsdtar against bsdtar itself, as root on a real file system, with WSL's arguments."""

from __future__ import annotations

import io
import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.check.extraction import Extraction, Shape
from builder.core.errors import WslimgError
from builder.tar.read import open_archive
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
    "big owner": lambda r, p: [file(p, uid=r.choice([3_000_000_000, 2**33]))],
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


def real_status(data: bytes, folder: Path) -> tuple[int, str]:
    """What bsdtar exits with, called as WSL 2 calls it."""
    folder.mkdir()
    command = ["bsdtar", "-C", str(folder), "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-"]
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run(command, input=data, env=environment, capture_output=True, check=False)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    return done.returncode, done.stderr.decode("utf-8", "replace")


def our_verdict(data: bytes) -> tuple[bool, Counter[Shape]]:
    extraction = Extraction()
    try:
        with open_archive(io.BytesIO(data)) as opened:
            for member in opened.reader:
                extraction.extract(member)
    except WslimgError:
        return True, extraction.counts
    return extraction.refused, extraction.counts


def test_our_verdict_is_bsdtars_exit_status(root, tool, tmp_path: Path) -> None:
    tool("bsdtar")
    kinds: Counter[str] = Counter()
    shapes: Counter[Shape] = Counter()
    refusals = 0
    for index, (kind, data) in enumerate(generate()):
        status, complaint = real_status(data, tmp_path / str(index))
        refused, counts = our_verdict(data)
        assert refused == (status != 0), f"archive {index} ({kind or 'harmless'}): {dict(counts)} {complaint}"
        refusals += refused
        kinds[kind] += 1
        shapes.update(set(counts))
    assert refusals >= 0.3 * COUNT
    assert min(kinds[kind] for kind in (*REFUSED, CUT)) >= AT_LEAST
    silent = (Shape.DIRECTORY_OVER_LINK, Shape.DUPLICATE, Shape.WHITEOUT, Shape.NOT_ASCII, Shape.EMPTY_TARGET)
    assert min(shapes[shape] for shape in silent) >= AT_LEAST
