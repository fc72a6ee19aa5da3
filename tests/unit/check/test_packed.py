"""The verdict on the entries of an image is the verdict on the image, to the last field of the last node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from builder.check.collect import Collected, collect
from builder.check.options import CheckOptions, Profile
from builder.check.packed import collect_entries
from builder.check.run import check_image, judge
from builder.core.errors import WslimgError
from builder.extraction.nature import HEAD, classify
from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.content import read_entry
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.normalise import normalise
from builder.pack.settings import PackSettings
from builder.pack.source_tar import read_archive
from builder.tar.compression import Compression
from tests.unit.check.good import good
from tests.unit.check.images import image
from tests.unit.check.test_rules import BROKEN, MICROSOFT, NOW, SUDOERS, options_for, plus

ARCHIVES = {
    "good": image(*good()),
    **BROKEN,
    **MICROSOFT,
    "POL905": plus(SUDOERS),
}
NO_TREE = {
    *("WSL001", "WSL005", "WSL007", "WSL008", "WSL009", "WSL010", "WSL011", "WSL012"),
    *("WSL015", "WSL028", "WSL030"),
}
"""What is no image of wslimg's making: no tree comes out of such an archive."""


def collect_both(entries: list[Entry], path: Path) -> tuple[Collected, Collected]:
    """What is found in the image that `entries` give, and in the entries."""
    result = pack_tree(entries, path, PackSettings(time=NOW))
    looks = {entry.path: classify(read_entry(entry)[:HEAD]) for entry in entries if entry.open}
    found = collect_entries(
        normalise(entries, NOW),
        looks,
        compression=Compression.GZIP,
        file_size=result.size,
        tar_size=result.tar_size,
    )
    return collect(path), found


def comparable(found: Collected) -> dict[str, object]:
    tree = {path: {name: getattr(node, name) for name in node.__slots__} for path, node in
            found.extraction.tree.nodes.items()}  # fmt: skip
    names: dict[int, bytes] = {}
    links = {path: names.setdefault(id(node), path) for path, node in found.extraction.tree.nodes.items()}
    root = found.root_member
    return {
        "tree": tree,
        "links": links,
        "children": found.extraction.tree.children,
        "oddities": found.extraction.oddities,
        "counts": found.extraction.counts,
        "sizes": (found.file_size, found.tar_size, found.members, found.newest, found.compression),
        "rest": (found.problems, found.failure, found.xattrs, found.global_pax),
        "root": root and (root.mode, root.uid, root.gid, root.mtime, root.name),
    }


@pytest.mark.parametrize("rule", sorted(set(ARCHIVES) - NO_TREE))
def test_entries_are_judged_as_the_image_is(rule: str, tmp_path: Path) -> None:
    path, archive = tmp_path / "x.wsl", tmp_path / "archive"
    archive.write_bytes(ARCHIVES[rule])
    with archive.open("rb") as file, read_archive(file, tmp_path) as stream:
        entries = list(stream)
        read, found = collect_both(entries, path)
    assert comparable(read) == comparable(found)
    for profile in Profile:
        options = replace(options_for(rule), profile=profile)
        judged = judge(found, options, name=path.name, subject=str(path))
        assert judged == check_image(path, options)


@pytest.mark.parametrize("rule", sorted(NO_TREE))
def test_what_is_no_tree_is_no_image(rule: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(ARCHIVES[rule])
    with pytest.raises(WslimgError), archive.open("rb") as file, read_archive(file, tmp_path) as stream:
        pack_tree(list(stream), tmp_path / "x.wsl", PackSettings(time=NOW))


NAMES = some.sampled_from(
    [b"a", b"b", b".wh.a", b".wh..wh..opq", b".x", b"C:", b"C:x", b"\\", b"\\x", b"x\\y", b"...", b"\xff",
     b"\n", b"\xc3\xa4", b"n" * 255, b"etc", b"os-release", b"x.ico"]
)  # fmt: skip
PATHS = some.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
CONTENTS = some.sampled_from(
    [b"", b"x", b"#!/bin/sh\n", b"#!/bin/sh" + b" " * HEAD + b"\r\n", b"\x7fELF\x02\x01" + bytes(600),
     b"-----BEGIN PRIVATE KEY-----\n"]
)  # fmt: skip
XATTRS = some.sampled_from(
    [(), ((b"user.a", b"1"),), ((b"security.capability", b"bad"),), ((b"security.selinux", b"l"),),
     ((b"trusted.x", bytes(5000)),)]
)  # fmt: skip
NUMBERS = some.sampled_from([0, 1000, 2**32 - 1, 2**31])


@some.composite
def entry(draw: some.DrawFn) -> Entry:
    kind = draw(some.sampled_from([Kind.FILE, Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, Kind.CHAR, Kind.FIFO]))
    plain = Entry(
        path=draw(PATHS),
        kind=kind,
        mode=draw(some.sampled_from([0o755, 0o644, 0o4755, 0o1777, 0])),
        uid=draw(NUMBERS),
        gid=draw(NUMBERS),
        mtime=draw(some.sampled_from([-1, 0, NOW + 1])),
        target=draw(some.sampled_from([b"a", b"../b", b"/etc", b"t" * 4095]))
        if kind is Kind.SYMLINK
        else b"",
        xattrs=draw(XATTRS),
    )
    return with_content(plain, draw(CONTENTS)) if kind is Kind.FILE else plain


def tree_of(entries: list[Entry]) -> list[Entry] | None:
    links = [
        Entry(path=each.path + b".link", kind=Kind.HARDLINK, mode=0o644, target=each.path)
        for each in entries
        if each.kind is Kind.FILE and len(each.path) < 200
    ]
    try:
        return list(arrange(entries + links))
    except WslimgError:
        return None


@settings(max_examples=150, deadline=None)
@given(some.lists(entry(), max_size=12))
def test_any_tree_is_found_in_its_entries_as_in_its_image(entries: list[Entry]) -> None:
    tree = tree_of(entries)
    if tree is None:
        return
    with TemporaryDirectory() as folder:
        try:
            read, found = collect_both(tree, Path(folder) / "x.wsl")
        except WslimgError:
            return
        assert comparable(read) == comparable(found)


def test_a_wrong_name_of_the_file_is_told(tmp_path: Path) -> None:
    found = collect_entries((), {}, compression=Compression.ZSTD, file_size=1, tar_size=1)
    options = CheckOptions(wsl1=True)
    rules = {finding.rule for finding in judge(found, options, name="x.tar", subject="x.tar").findings}
    assert {"WSL002", "WSL031", "WSL032", "WSL033"} <= rules
