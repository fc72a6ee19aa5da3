"""Layers become the tree that unpacking them one over the other would leave."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from builder.core.errors import ResolveError
from builder.model.entry import Kind

from .layers import content, file, folder, grow, link, listing, symlink


def test_a_whiteout_hides_a_file_and_a_whole_folder(tmp_path: Path) -> None:
    lower = [folder("d"), file("d/x", b"1"), folder("d/e"), file("d/e/y", b"2"), file("z", b"3")]
    tree = grow(tmp_path, lower, [file(".wh.z"), file("d/.wh.e")])
    assert listing(tree) == {"d": "/", "d/x": b"1"}


@pytest.mark.parametrize("first", [True, False])
def test_an_opaque_mark_hides_lower_layers_only_wherever_it_stands(tmp_path: Path, first: bool) -> None:
    mark, upper = [file("d/.wh..wh..opq")], [file("d/new", b"n"), folder("d/s"), file("d/s/new", b"m")]
    lower = [folder("d"), file("d/old", b"o"), folder("d/s", 0o700), file("d/s/old", b"p")]
    tree = grow(tmp_path, lower, [folder("d"), *(mark + upper if first else upper + mark)])
    assert listing(tree) == {"d": "/", "d/new": b"n", "d/s": "/", "d/s/new": b"m"}
    assert next(entry.mode for entry in tree.entries() if entry.path == b"d/s") == 0o755


def test_a_whiteout_beside_its_own_name_means_replaced(tmp_path: Path) -> None:
    tree = grow(
        tmp_path, [folder("d"), file("d/old", b"o")], [folder("d"), file("d/new", b"n"), file(".wh.d")]
    )
    assert listing(tree) == {"d": "/", "d/new": b"n"}


def test_a_whiteout_is_told_by_its_name_whatever_its_type(tmp_path: Path) -> None:
    info, data = file("d/.wh.x")
    info.linkname = "d/.wh.y"
    tree = grow(tmp_path, [folder("d"), file("d/x"), file("d/y")], [(info, data), link("d/.wh.y", "d/.wh.x")])
    assert listing(tree) == {"d": "/"}


def test_files_and_folders_take_each_others_place(tmp_path: Path) -> None:
    lower = [folder("a"), file("a/x", b"1"), file("b", b"2")]
    tree = grow(tmp_path, lower, [file("a", b"3"), folder("b"), file("b/y", b"4")])
    assert listing(tree) == {"a": b"3", "b": "/", "b/y": b"4"}


def test_a_folder_again_changes_its_mode_and_keeps_its_content(tmp_path: Path) -> None:
    tree = grow(tmp_path, [folder("d", 0o755), file("d/x", b"1")], [folder("d", 0o1777, uid=5)])
    [found] = [entry for entry in tree.entries() if entry.path == b"d"]
    assert (found.mode, found.uid, listing(tree)["d/x"]) == (0o1777, 5, b"1")


def test_a_hard_link_keeps_the_data_that_its_target_had(tmp_path: Path) -> None:
    tree = grow(tmp_path, [file("a", b"old"), link("b", "a"), link("c", "a")], [file("a", b"new")])
    assert listing(tree) == {"a": b"new", "b": b"old", "c": "= b"}


def test_a_hard_link_across_layers_names_the_lower_file(tmp_path: Path) -> None:
    tree = grow(tmp_path, [file("z", b"data", 0o4755, uid=7)], [link("a", "/./z")])
    assert listing(tree) == {"a": b"data", "z": "= a"}
    assert {(entry.mode, entry.uid) for entry in tree.entries()} == {(0o4755, 7)}


def test_the_first_sorted_name_carries_the_file(tmp_path: Path) -> None:
    tree = grow(tmp_path, [folder("b"), file("b/z", b"1"), folder("a"), link("a/y", "b/z"), link("c", "b/z")])
    assert listing(tree) == {"a": "/", "a/y": b"1", "b": "/", "b/z": "= a/y", "c": "= a/y"}


def test_siblings_are_sorted_by_bytes_and_folders_are_whole(tmp_path: Path) -> None:
    tree = grow(tmp_path, [folder("a"), file("a.b"), file("a/x"), file("a-b"), file("Z")])
    assert [entry.path for entry in tree.entries()] == [b"Z", b"a", b"a/x", b"a-b", b"a.b"]


def test_names_below_merged_folders_are_put_where_they_lead(tmp_path: Path) -> None:
    lower = [folder("usr"), folder("usr/lib"), symlink("lib", "usr/lib"), file("usr/lib/a", b"1")]
    upper = [file("lib/b", b"2"), file("lib/.wh.a"), link("c", "lib/b")]
    assert listing(grow(tmp_path, lower, upper)) == {
        "c": b"2",
        "lib": "-> usr/lib",
        "usr": "/",
        "usr/lib": "/",
        "usr/lib/b": "= c",
    }


def test_links_never_lead_out_of_the_image(tmp_path: Path) -> None:
    lower = [folder("d"), symlink("d/up", "../../../etc"), symlink("abs", "/d"), folder("etc")]
    assert listing(grow(tmp_path, lower, [file("d/up/x", b"1"), file("../../abs/y", b"2")])) == {
        "abs": "-> /d",
        "d": "/",
        "d/up": "-> ../../../etc",
        "d/y": b"2",
        "etc": "/",
        "etc/x": b"1",
    }


def test_a_folder_in_the_place_of_a_link_does_not_touch_where_it_led(tmp_path: Path) -> None:
    lower = [folder("real"), file("real/keep", b"1"), symlink("l", "real")]
    upper = [folder("l"), file("l/.wh..wh..opq"), file("l/x", b"2")]
    assert listing(grow(tmp_path, lower, upper)) == {"l": "/", "l/x": b"2", "real": "/", "real/keep": b"1"}


def test_parents_that_nobody_describes_are_made(tmp_path: Path) -> None:
    tree = grow(tmp_path, [file("a/b/c", b"1")])
    assert [(entry.path, entry.mode, entry.mtime) for entry in tree.entries()][:2] == [
        (b"a", 0o755, 1_700_000_000),
        (b"a/b", 0o755, 1_700_000_000),
    ]


def test_names_of_owners_and_marks_of_overlayfs_are_dropped(tmp_path: Path) -> None:
    xattrs = {"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.kept": "1"}
    tree = grow(tmp_path, [file("x", b"1", uname="builder", gname="builder", uid=3, pax_headers=xattrs)])
    [entry] = tree.entries()
    assert (entry.uid, entry.xattrs) == (3, ((b"user.kept", b"1"),))


def test_the_bookkeeping_of_aufs_is_no_part_of_the_tree(tmp_path: Path) -> None:
    odd = [
        folder(".wh..wh.plnk"),
        file(".wh..wh.plnk/1.2", b"1"),
        file(".wh..wh.aufs"),
        file("a.wh.b", b"kept"),
    ]
    assert listing(grow(tmp_path, odd)) == {"a.wh.b": b"kept"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([link("a", "gone")], "layer 0: holds /a, a hard link to /gone, which is no file"),
        ([folder("d"), link("a", "d")], "layer 0: holds /a, a hard link to /d, which is no file"),
        ([file("a"), file("a/b")], "layer 0: holds /a/b, which lies below a file"),
        ([file("d/.wh...")], "layer 0: holds /d/.wh..., a whiteout of nothing"),
        ([file(".wh.")], "layer 0: holds /.wh., a whiteout of nothing"),
        ([file(".wh.d/x")], "layer 0: holds /.wh.d/x, which lies below a whiteout"),
        ([symlink("a", "b"), symlink("b", "a"), file("a/x")], "layer 0: holds /a/x, which lies below a file"),
    ],
)
def test_what_no_engine_could_unpack_is_refused(tmp_path: Path, members: list, message: str) -> None:
    with pytest.raises(ResolveError) as caught:
        grow(tmp_path, members)
    assert str(caught.value).startswith(message)


def test_equal_names_in_one_layer_have_different_identities(tmp_path: Path) -> None:
    tree = grow(tmp_path, [file("a", b"one"), link("b", "a"), file("a", b"two")])
    found = {entry.path: entry for entry in tree.entries()}
    assert (content(found[b"a"]), content(found[b"b"])) == (b"two", b"one")
    assert found[b"a"].identity != found[b"b"].identity


def test_a_deep_path_is_no_recursion(tmp_path: Path) -> None:
    tree = grow(tmp_path, [file("d/" * 5000 + "x", b"1")])
    assert sum(entry.kind is Kind.DIRECTORY for entry in tree.entries()) == 5000


NAMES = st.sampled_from("abc")
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
MEMBERS = st.one_of(
    st.tuples(st.just("file"), PATHS, st.binary(max_size=3)),
    st.tuples(st.just("folder"), PATHS, st.sampled_from((0o755, 0o700))),
    st.tuples(st.just("link"), PATHS, PATHS),
    st.tuples(st.just("symlink"), PATHS, st.sampled_from(("a", "b", "a/c", "/b", "nowhere"))),
    st.tuples(st.just("hide"), PATHS, st.none()),
    st.tuples(st.just("opaque"), PATHS, st.none()),
)
STACKS = st.lists(st.lists(MEMBERS, max_size=6), min_size=1, max_size=4)


@given(STACKS)
@example([[("symlink", "a", "b")], [("file", "a/a", b""), ("folder", "a", 0o755)]])
@example([[("file", "a", b"")], [("link", "a", "a"), ("folder", "a", 0o755)]])
@example([[("file", "c", b"")], [("opaque", "c", None), ("link", "a", "c"), ("folder", "c", 0o755)]])
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
def test_any_stack_is_what_unpacking_it_on_a_disk_leaves(stack: list[list[tuple]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        disk = Path(name) / "disk"
        disk.mkdir()
        try:
            for layer in stack:
                unpack(layer, disk)
        except OSError:
            assume(False)
        assert listing(grow(Path(name), *map(members_of, stack))) == listing_of(disk)


def members_of(layer: list[tuple]) -> list:
    make = {"file": file, "folder": folder, "link": link, "symlink": symlink}
    members = []
    for what, path, value in layer:
        if what in make:
            members.append(make[what](path, value))
        elif what == "hide":
            head, _, tail = path.rpartition("/")
            members.append(file(f"{head}/.wh.{tail}"))
        else:
            members.append(file(f"{path}/.wh..wh..opq"))
    return members


def unpack(layer: list[tuple], disk: Path) -> None:
    """As a person would: first what the layer hides, then what it brings. Raises OSError where that fails."""
    for what, path, _ in layer:
        place = disk / path
        if what not in ("hide", "opaque"):
            continue
        if any((disk / part).is_symlink() for part in parents(path, itself=what == "opaque")):
            raise OSError("what a link hides is said elsewhere")
        if what == "hide" and os.path.lexists(place):
            clear(place)
        elif what == "opaque" and place.is_dir():
            for child in list(place.iterdir()):
                clear(child)
    for what, path, value in layer:
        if what in ("hide", "opaque"):
            continue
        place = inside(disk, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        lay(what, place, inside(disk, value) if what == "link" else value)


def parents(path: str, *, itself: bool) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + itself)]


def inside(disk: Path, path: str, depth: int = 0) -> Path:
    """`path` with absolute links on the way taken as those of the image. Raises OSError for loops."""
    if depth > 10:
        raise OSError("too many links")
    place = disk
    *way, last = path.split("/")
    for part in way:
        place = place / part
        for _ in range(10):
            if place.is_symlink():
                target = os.readlink(place)
                absolute = target.startswith("/")
                place = (
                    inside(disk, f"{target[1:]}/x", depth + 1).parent if absolute else place.parent / target
                )
    return place / last


def lay(what: str, place: Path, value: object) -> None:
    if what == "folder" and place.is_dir() and not place.is_symlink():
        return
    if what == "link":
        assert isinstance(value, Path)
        if value.is_dir() and not value.is_symlink():
            raise OSError("a link to a folder")
        kept = os.lstat(value)
        if os.path.lexists(place) and os.path.samestat(kept, os.lstat(place)):
            return
        spare = place.parent / "spare"
        os.link(value, spare, follow_symlinks=False)
    if os.path.lexists(place):
        clear(place)
    if what == "link":
        spare.rename(place)
    elif what == "folder":
        place.mkdir()
    elif what == "symlink":
        place.symlink_to(str(value))
    else:
        assert isinstance(value, bytes)
        place.write_bytes(value)


def clear(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink()


def listing_of(disk: Path) -> dict[str, str | bytes]:
    shown: dict[str, str | bytes] = {}
    firsts: dict[tuple[int, int], str] = {}

    def walk(folder: Path, prefix: str) -> None:
        for place in sorted(folder.iterdir()):
            path, status = prefix + place.name, place.lstat()
            first = firsts.setdefault((status.st_dev, status.st_ino), path)
            if place.is_dir() and not place.is_symlink():
                shown[path] = "/"
                walk(place, path + "/")
            elif first != path:
                shown[path] = f"= {first}"
            else:
                shown[path] = f"-> {os.readlink(place)}" if place.is_symlink() else place.read_bytes()

    walk(disk, "")
    return shown
