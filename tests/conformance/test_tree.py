"""What every engine must make of a tree without running a command, and what none at all must make of it."""

from __future__ import annotations

import pytest

from builder.core.digests import sha256_bytes
from builder.core.errors import ExecuteError
from builder.model.entry import Kind
from builder.model.operation import Content, PutEntry, Remove

pytestmark = pytest.mark.system


def put_file(path, data=b"new", **fields):
    return PutEntry(
        path=path, kind=Kind.FILE, content=Content(digest="", size=len(data), data=data), **fields
    )


def put_folder(path, mode=None, **fields):
    return PutEntry(path=path, kind=Kind.DIRECTORY, mode=mode, **fields)


def test_the_tree_comes_back_as_it_was_put_in(bench, read):
    tree = bench.tree(bench.base)
    assert read(tree[b"names/new\nline"]) == b"1"
    assert read(tree[b"names/caf\xe9"]) == b"2"
    assert read(tree[b"names/" + b"n" * 255]) == b"3"
    assert (tree[b"odd/setuid"].mode, tree[b"odd/setuid"].uid, tree[b"odd/setuid"].gid) == (0o4755, 1000, 50)
    assert tree[b"odd/fifo"].kind is Kind.FIFO and tree[b"odd/fifo"].mode == 0o640
    assert tree[b"home/alice"].mode == 0o700
    assert {tree[path].mtime for path in (b"etc", b"etc/passwd", b"odd/big", b"home/alice")} == {10**9}


def test_entries_come_depth_first_with_siblings_by_raw_bytes(bench):
    paths = [entry.path for entry in bench.engine.entries(bench.base)]
    assert paths == sorted(paths, key=lambda path: path.split(b"/"))
    assert b"" not in paths


def test_the_first_name_of_a_file_carries_it_and_the_others_link_to_it(bench, read):
    tree = bench.tree(bench.base)
    assert (tree[b"names/first"].kind, read(tree[b"names/first"])) == (Kind.FILE, b"linked")
    assert (tree[b"names/second"].kind, tree[b"names/second"].target) == (Kind.HARDLINK, b"names/first")


def test_uids_up_to_65535_survive(bench):
    entry = bench.tree(bench.base)[b"odd/big"]
    assert (entry.uid, entry.gid) == (65000, 65001)


def test_put_replaces_files_and_follows_links_of_parents_inside_the_image(bench, read):
    layer = bench.engine.put(
        bench.base,
        bench.key(),
        [put_file("/link/sub/file"), put_file("/names/first", uid=1000), put_folder("/a/b", 0o700, uid=5)],
    )
    tree = bench.tree(layer)
    assert (tree[b"link"].kind, read(tree[b"real/sub/file"])) == (Kind.SYMLINK, b"new")
    assert (tree[b"real/sub"].mode, tree[b"real/sub"].gid) == (0o750, 50)
    assert (tree[b"names/first"].uid, read(tree[b"names/second"])) == (1000, b"linked")
    assert (tree[b"a"].mode, tree[b"a"].uid, tree[b"a/b"].mode, tree[b"a/b"].uid) == (0o755, 0, 0o700, 5)


def test_put_lays_a_file_over_a_directory_and_a_directory_over_a_file(bench):
    layer = bench.engine.put(
        bench.base, bench.key(), [put_file("/real/sub"), put_folder("/names/first", 0o711)]
    )
    tree = bench.tree(layer)
    assert tree[b"real/sub"].kind is Kind.FILE and b"real/sub/file" not in tree
    assert (tree[b"names/first"].kind, tree[b"names/first"].mode) == (Kind.DIRECTORY, 0o711)
    assert tree[b"names/second"].kind is Kind.FILE


def test_put_keeps_a_directory_and_a_link_to_one_where_no_mode_is_given(bench):
    layer = bench.engine.put(bench.base, bench.key(), [put_folder("/real/sub"), put_folder("/link")])
    tree = bench.tree(layer)
    assert (tree[b"real/sub"].mode, tree[b"real/sub"].gid) == (0o750, 50)
    assert b"real/sub/file" in tree and tree[b"link"].kind is Kind.SYMLINK


def test_put_without_a_mode_keeps_owner_and_mode_of_a_file(bench, read):
    layer = bench.engine.put(bench.base, bench.key(), [put_file("/odd/setuid", mode=None)])
    entry = bench.tree(layer)[b"odd/setuid"]
    assert (entry.mode, entry.uid, entry.gid, read(entry)) == (0o4755, 1000, 50, b"new")


def test_put_refuses_to_write_below_a_file_or_a_dangling_link(bench):
    with pytest.raises(ExecuteError, match="/etc/passwd: is not a directory"):
        bench.engine.put(bench.base, bench.key(), [put_file("/etc/passwd/x")])
    layer = bench.engine.put(
        bench.base, bench.key(), [PutEntry(path="/d", kind=Kind.SYMLINK, target="/gone")]
    )
    with pytest.raises(ExecuteError, match="/d: is a link to /gone, which does not exist"):
        bench.engine.put(layer, bench.key(), [put_file("/d/x")])


def test_remove_takes_matches_and_what_is_below_them(bench):
    patterns = ("/names/*", "/real/**/file", "/odd/[bs]*", "/nothing/here", "/link/sub/nothing")
    tree = bench.tree(bench.engine.remove(bench.base, bench.key(), Remove(patterns=patterns)))
    assert [path for path in tree if path.startswith((b"names", b"real", b"odd"))] == [
        b"names",
        b"odd",
        b"odd/capable",
        b"odd/fifo",
        b"odd/noted",
        b"real",
        b"real/sub",
    ]


def test_a_star_does_not_cross_directories_and_links_in_fixed_parents_are_followed(bench):
    tree = bench.tree(bench.engine.remove(bench.base, bench.key(), Remove(patterns=("/*/file", "/link/s*"))))
    assert b"real/sub" not in tree and b"real" in tree and b"link" in tree


def test_read_follows_links_inside_the_image(bench):
    assert bench.engine.read(bench.base, "/link/sub/file") == b"below"
    assert bench.engine.read(bench.base, "/link/../etc/group").startswith(b"root")
    assert bench.engine.read(bench.base, "/real") is None
    assert bench.engine.read(bench.base, "/nothing") is None


def test_a_tree_that_others_are_made_of_stays_as_it_was(bench, read):
    before = list(bench.engine.entries(bench.base))
    put = bench.engine.put(bench.base, bench.key(), [put_file("/real/sub/file"), put_folder("/real", 0o700)])
    bench.engine.remove(put, bench.key(), Remove(patterns=("/real/sub/*",)))
    after = list(bench.engine.entries(bench.base))
    assert [entry[:6] for entry in after] == [entry[:6] for entry in before]
    assert read(bench.tree(bench.base)[b"real/sub/file"]) == b"below"
    assert read(bench.tree(put)[b"real/sub/file"]) == b"new"


def test_a_link_is_put_where_something_else_was(bench):
    link = PutEntry(path="/real/sub", kind=Kind.SYMLINK, target="../home", uid=7)
    tree = bench.tree(bench.engine.put(bench.base, bench.key(), [link]))
    assert (tree[b"real/sub"].target, tree[b"real/sub"].uid, tree[b"real/sub"].mode) == (b"../home", 7, 0o777)
    assert b"real/sub/file" not in tree


def test_what_is_put_is_newer_than_what_was_there(bench):
    tree = bench.tree(bench.engine.put(bench.base, bench.key(), [put_file("/etc/passwd")]))
    assert tree[b"etc/passwd"].mtime > tree[b"etc/group"].mtime == 10**9


def test_a_file_that_was_exchanged_meanwhile_is_not_put(bench, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"altered")
    content = Content(digest=sha256_bytes(b"planned it otherwise"), size=20, path=path)
    key = bench.key()
    with pytest.raises(ExecuteError, match=f"{path}: has changed since the build was planned"):
        bench.engine.put(bench.base, key, [PutEntry(path="/file", kind=Kind.FILE, content=content)])
    assert bench.engine.layer(key) is None


def test_a_directory_over_a_file_that_was_put_over_a_directory_is_empty(bench):
    entries = [put_file("/real"), put_folder("/real", 0o755)]
    layer = bench.engine.put(bench.base, bench.key(), entries)
    assert [path for path in bench.tree(layer) if path.startswith(b"real")] == [b"real"]
