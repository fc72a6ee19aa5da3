"""Folders and archives as sources of a tree."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import threading
import time

import pytest

from builder.core.errors import PackError, WslimgError
from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.bare import bare_files
from builder.pack.content import read_entry
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.settings import PackSettings
from builder.pack.source_dir import read_directory
from builder.pack.source_tar import read_archive


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    (root / "b" / "sub").mkdir(parents=True)
    (root / "b-").mkdir()
    (root / "b" / "z").write_bytes(b"data")
    os.link(root / "b" / "z", root / "b" / "sub" / "linked")
    os.link(root / "b" / "z", root / "c")
    (root / "a").symlink_to("b/z")
    os.mkfifo(root / "fifo", 0o640)
    return root


def names(entries) -> list[tuple[str, Kind]]:
    return [(os.fsdecode(entry.path), entry.kind) for entry in entries]


def test_a_folder_is_read_in_order_with_its_first_names(folder):
    entries = list(read_directory(folder))
    assert names(entries) == [
        ("a", Kind.SYMLINK),
        ("b", Kind.DIRECTORY),
        ("b/sub", Kind.DIRECTORY),
        ("b/sub/linked", Kind.FILE),
        ("b/z", Kind.HARDLINK),
        ("b-", Kind.DIRECTORY),
        ("c", Kind.HARDLINK),
        ("fifo", Kind.FIFO),
    ]
    assert {entry.target for entry in entries if entry.kind is Kind.HARDLINK} == {b"b/sub/linked"}
    assert read_entry(entries[3]) == b"data"
    assert all(entry.identity is None for entry in entries)


def test_sockets_are_left_out(folder):
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(folder)
        try:
            server.bind("s")
        finally:
            os.chdir(here)
        assert "s" not in dict(names(read_directory(folder)))


def test_a_trusted_file_has_an_identity_once_its_times_have_settled(folder):
    (folder / "fresh").write_bytes(b"fresh")
    os.utime(folder / "b" / "z", (1, 1))
    fresh = {entry.path: entry.identity for entry in read_directory(folder, trust_mtime=True)}
    assert fresh[b"fresh"] is None
    assert fresh[b"b/sub/linked"] is None, "its ctime is fresh"


def test_a_trusted_identity_changes_with_the_file(folder, monkeypatch):
    def identity():
        return next(entry.identity for entry in read_directory(folder, trust_mtime=True) if entry.size)

    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)
    before = identity()
    assert before is not None
    assert identity() == before
    (folder / "b" / "z").write_bytes(b"Data")
    assert identity() != before


def test_a_trusted_file_is_asked_for_attributes_once_and_again_when_it_changes(folder, tmp_path, monkeypatch):
    def attributes():
        memory = bare_files(tmp_path, folder)
        entries = read_directory(folder, trust_mtime=True, memory=memory)
        return {entry.path: entry.xattrs for entry in entries if entry.xattrs}

    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)
    assert attributes() == {}
    asked = []
    ask = os.listxattr
    monkeypatch.setattr(os, "listxattr", lambda path, **more: asked.append(path) or ask(path, **more))
    assert attributes() == {} and not asked
    os.setxattr(folder / "b" / "z", "user.x", b"1")
    assert attributes() == {b"b/sub/linked": ((b"user.x", b"1"),)}
    assert set(asked) == {os.fsencode(folder / "b" / "sub" / "linked")}
    next(tmp_path.glob("*.bare")).write_bytes(b"torn")
    assert attributes() == {b"b/sub/linked": ((b"user.x", b"1"),)}


def test_a_file_that_changes_now_is_not_remembered(folder, tmp_path):
    list(read_directory(folder, trust_mtime=True, memory=bare_files(tmp_path, folder)))
    assert not any(file.stat().st_size for file in tmp_path.glob("*.bare"))


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(PackError, match=r"cannot be read: No such file or directory\n  fix: check the path"):
        list(read_directory(tmp_path / "none"))


def file(path: str, data: bytes = b"x", **more) -> Entry:
    return with_content(Entry(path=path.encode(), kind=Kind.FILE, mode=0o644, **more), data)


def link(path: str, target: str) -> Entry:
    return Entry(path=path.encode(), kind=Kind.HARDLINK, mode=0o644, target=target.encode())


def test_entries_in_any_order_become_one_tree():
    entries = [link("z", "m/y"), file("m/y"), link("a", "m/y"), file("q/r/s")]
    for some in (entries, entries[::-1]):
        tree = list(arrange(some))
        assert names(tree) == [
            ("a", Kind.FILE),
            ("m", Kind.DIRECTORY),
            ("m/y", Kind.HARDLINK),
            ("q", Kind.DIRECTORY),
            ("q/r", Kind.DIRECTORY),
            ("q/r/s", Kind.FILE),
            ("z", Kind.HARDLINK),
        ]
        assert (tree[1].mode, tree[1].uid) == (0o755, 0)


def test_the_last_entry_of_a_path_wins_but_older_links_keep_the_old_file():
    tree = {entry.path: entry for entry in arrange([file("a", b"old"), link("b", "a"), file("a", b"new!")])}
    assert (read_entry(tree[b"a"]), read_entry(tree[b"b"])) == (b"new!", b"old")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([file("a/../b")], r"^/a/../b: has a `..` in its name"),
        ([link("a", "none")], r"^/a: is a hard link to /none, which is not there"),
        (
            [file("d/x"), Entry(b"d", Kind.DIRECTORY, 0o755), link("a", "d")],
            r"hard link to /d, which is a directory",
        ),
        (
            [Entry(b"lib", Kind.SYMLINK, 0o777, target=b"usr"), file("lib/x")],
            r"lies below /lib, which is a symlink",
        ),
        ([file("f"), file("f/x")], r"lies below /f, which is a file"),
    ],
)
def test_what_is_no_tree_is_one_clear_error(entries, message):
    with pytest.raises(PackError, match=message):
        list(arrange(entries))


def archive(folder, mode: str = "w", **options) -> io.BytesIO:
    """The folder as Python's tarfile packs it, in reverse order."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode, **options) as tar:
        for path in sorted(folder.iterdir(), reverse=True):
            tar.add(path, "./" + path.name)
    data.seek(0)
    return data


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2"])
def test_a_folder_and_its_archive_become_the_same_image(folder, tmp_path, suffix, form):
    expected = pack_tree(read_directory(folder), tmp_path / "o.wsl", PackSettings(time=1))
    path = tmp_path / ("o.tar" + suffix)
    path.write_bytes(archive(folder, "w:" + suffix[1:], format=form).getvalue())
    with path.open("rb") as stream, read_archive(stream, tmp_path / "spool") as entries:
        assert pack_tree(entries, tmp_path / "o.wsl", PackSettings(time=1)).sha256 == expected.sha256
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_archive_can_come_through_a_pipe(folder, tmp_path):
    data = archive(folder).getvalue()
    ours, theirs = os.pipe()

    def feed():
        with os.fdopen(theirs, "wb") as stream:
            stream.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(ours, "rb") as stream, read_archive(stream, tmp_path / "spool") as entries:
        tree = {entry.path: entry for entry in entries}
        assert read_entry(tree[b"b/sub/linked"]) == b"data"
    feeder.join()


def test_an_image_is_its_own_source(folder, tmp_path):
    first = pack_tree(read_directory(folder), tmp_path / "one.wsl", PackSettings(time=1))
    with (tmp_path / "one.wsl").open("rb") as stream, read_archive(stream, tmp_path) as entries:
        second = pack_tree(entries, tmp_path / "two.wsl", PackSettings(time=1))
    assert second.sha256 == first.sha256


@pytest.mark.parametrize("harm", [lambda data: data[:-300], lambda data: b"no archive" + data])
def test_a_damaged_archive_is_one_clear_error(folder, tmp_path, harm):
    data = io.BytesIO(harm(gzip.compress(archive(folder).getvalue())))
    with pytest.raises(WslimgError), read_archive(data, tmp_path) as entries:
        pack_tree(entries, tmp_path / "o.wsl", PackSettings(time=1))
    assert not (tmp_path / "o.wsl").exists()
