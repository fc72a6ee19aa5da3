"""Folders and archives as sources of a tree."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import threading
import time
import zlib

import pytest

from builder.core.errors import PackError
from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.bare import bare_files
from builder.pack.clean import drop_xattrs
from builder.pack.content import open_entry, read_entry
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


def test_hard_links_to_hard_links_that_come_first_name_one_file():
    tree = list(arrange([link("a", "b"), link("d", "c"), link("b", "c"), file("c")]))
    assert names(tree) == [
        ("a", Kind.FILE),
        ("b", Kind.HARDLINK),
        ("c", Kind.HARDLINK),
        ("d", Kind.HARDLINK),
    ]
    assert {entry.target for entry in tree[1:]} == {b"a"}


def test_a_link_that_waited_for_its_target_gives_way_to_what_came_under_its_name():
    tree = {entry.path: entry for entry in arrange([link("x", "y"), file("x", b"mine"), file("y", b"other")])}
    assert (read_entry(tree[b"x"]), read_entry(tree[b"y"])) == (b"mine", b"other")


def test_a_chain_of_100_000_links_takes_no_time():
    links = [link(str(number), str(number + 1)) for number in range(100_000)]
    assert len(list(arrange([*links, file("100000")]))) == 100_001


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
        ([file("f"), file("f/x")], r"^/f/x: lies below /f, which is a file"),
        ([link("a", "b"), link("b", "a")], r"is a hard link to /[ab], which is not there"),
        ([file("a\0b")], r"has a NUL in its name"),
        ([Entry(b"s", Kind.SYMLINK, 0o777, target=b"a\0b")], r"^/s: has a NUL in its name or target"),
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


def split_image(folder, tmp_path) -> list[bytes]:
    """The gzip members of an image of some 3 MB."""
    for number in range(20):
        (folder / f"random{number}").write_bytes(os.urandom(150_000))
    pack_tree(read_directory(folder), tmp_path / "o.wsl", PackSettings(time=1))
    data, members = (tmp_path / "o.wsl").read_bytes(), []
    while data:
        decoder = zlib.decompressobj(31)
        decoder.decompress(data)
        members.append(data[: len(data) - len(decoder.unused_data)])
        data = decoder.unused_data
    (tmp_path / "o.wsl").unlink()
    assert len(members) > 2
    return members


def harmed(whole: bytes) -> dict[str, tuple[bytes, str]]:
    return {
        "cut": (gzip.compress(whole)[:-30], "in the middle of its compressed data"),
        "other": (b"no archive" + whole, "is no tar archive"),
        "text": (b"Error: no such container", "is no tar archive"),
        "empty": (b"", "^it: is empty\n  fix: look why"),
        "empty, compressed": (gzip.compress(b""), "^it: is empty"),
        "killed": (whole[: whole.rindex(b"./a")], "no end-of-archive blocks"),
        "two": (whole + whole, "another archive follows"),
        "two, compressed": (gzip.compress(whole) * 2, "another archive follows"),
    }


@pytest.mark.parametrize("harm", harmed(b"./a"))
def test_a_damaged_archive_is_one_clear_error(folder, tmp_path, harm):
    data, message = harmed(archive(folder, format=tarfile.GNU_FORMAT).getvalue())[harm]
    with (
        pytest.raises(PackError, match=message) as caught,
        read_archive(io.BytesIO(data), tmp_path, name="it") as entries,
    ):
        pack_tree(entries, tmp_path / "o.wsl", PackSettings(time=1))
    assert caught.value.where.startswith("it")
    assert caught.value.fix
    assert not (tmp_path / "o.wsl").exists()


def test_an_image_that_lacks_members_is_one_clear_error(folder, tmp_path):
    members = split_image(folder, tmp_path)
    altered = bytes([members[2][0] ^ 1]) + members[2][1:]
    for parts in (members[:2], [*members[:2], altered, *members[3:]]):
        with (
            pytest.raises(PackError, match="no end-of-archive blocks"),
            read_archive(io.BytesIO(b"".join(parts)), tmp_path) as entries,
        ):
            list(entries)


@pytest.mark.parametrize("rest", [b"signature" * 100, gzip.compress(b"x")])
def test_what_follows_a_whole_archive_is_left_out_with_a_warning(folder, tmp_path, rest):
    heard = []
    whole = gzip.compress(archive(folder).getvalue())
    with read_archive(io.BytesIO(whole + rest), tmp_path, heard.append, "it") as entries:
        assert list(entries)
    assert [(note.level, note.message.startswith("it: ")) for note in heard] == [("warning", True)]


def test_an_archive_begins_where_the_file_is_read_next(folder, tmp_path):
    path = tmp_path / "o.tar"
    path.write_bytes(b"x" * 1024 + archive(folder).getvalue())
    with path.open("rb") as stream:
        stream.seek(1024)
        with read_archive(stream, tmp_path) as entries:
            assert {read_entry(entry) for entry in entries if entry.size} == {b"data"}


def test_an_archive_that_is_written_to_meanwhile_is_one_clear_error(folder, tmp_path):
    path = tmp_path / "o.tar"
    path.write_bytes(archive(folder).getvalue())
    with path.open("rb") as stream, read_archive(stream, tmp_path) as entries:
        found = next(entry for entry in entries if entry.size)
        path.write_bytes(path.read_bytes().replace(b"data", b"DATA"))
        with pytest.raises(PackError, match="changed or was cut"):
            read_entry(found)


def test_a_sparse_member_costs_what_it_stores(tmp_path):
    size = 1 << 43
    info = tarfile.TarInfo("huge")
    info.size = 4
    info.pax_headers = {
        "GNU.sparse.size": str(size),
        "GNU.sparse.map": f"{size // 2},4",
        "GNU.sparse.numblocks": "1",
    }
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(b"data"))
    with read_archive(io.BytesIO(data.getvalue()), tmp_path) as entries:
        entry = next(entries)
        assert entry.size == size
        with open_entry(entry) as content:
            assert os.pread(content, 8, size // 2 - 2) == b"\0\0data\0\0"
            assert os.fstat(content).st_blocks < 100


def test_acls_of_an_archive_are_attributes_that_cannot_ship(tmp_path):
    info = tarfile.TarInfo("f")
    info.pax_headers = {"SCHILY.acl.access": "user::rw-,user:7:r--,group::r--,mask::r--,other::r--"}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info)
    removed = []
    with read_archive(io.BytesIO(data.getvalue()), tmp_path) as entries:
        assert [entry.xattrs for entry in drop_xattrs(entries, removed.append)] == [()]
    assert "system.posix_acl_access: POSIX ACL" in removed[0].why
