from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.trial.inside import Inside


@pytest.fixture
def tree(tmp_path: Path) -> Inside:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/file").write_text("inside")
    (tmp_path / "file").write_text("outside")
    return Inside(root)


@pytest.mark.parametrize("target", ["/etc/file", "../etc/file", "../../../etc/file", "/../../etc/file"])
def test_links_lead_to_what_they_name_after_chroot(tree: Inside, target: str) -> None:
    (tree.folder / "etc/link").symlink_to(target)
    assert tree.read("/etc/link") == b"inside"


@pytest.mark.parametrize("target", ["/file", "../../file", "dangling", "loop"])
def test_links_never_lead_outside(tree: Inside, target: str) -> None:
    (tree.folder / "etc/loop").symlink_to("loop")
    (tree.folder / "etc/link").symlink_to(target)
    assert tree.read("/etc/link") is None
    assert not tree.exists("/etc/link")


def test_writing_through_a_linked_folder_stays_inside(tree: Inside, tmp_path: Path) -> None:
    outside = tmp_path / "target"
    outside.mkdir()
    (tree.folder / "var").symlink_to(outside)
    with pytest.raises(OSError, match="var"):
        tree.write("/var/file", b"x")
    assert list(outside.iterdir()) == []


def test_writing_replaces_a_link_instead_of_following_it(tree: Inside) -> None:
    (tree.folder / "etc/hosts").symlink_to("file")
    tree.write("/etc/hosts", b"new")
    assert tree.read("/etc/file") == b"inside"
    assert tree.read("/etc/hosts") == b"new"


def test_fifos_are_not_read(tree: Inside) -> None:
    os.mkfifo(tree.folder / "etc/fifo")
    assert tree.read("/etc/fifo") is None


def test_reading_stops_at_the_limit(tree: Inside) -> None:
    assert tree.read("/etc/file", 3) == b"ins"


def test_folders_are_made_with_their_parents(tree: Inside) -> None:
    tree.make_folder("/a/b/c")
    assert (tree.folder / "a/b/c").is_dir()


def test_a_link_is_left_alone_unless_it_is_to_be_replaced(tree: Inside) -> None:
    tree.make_link("/etc/file", "/init")
    assert tree.read("/etc/file") == b"inside"
    tree.make_link("/etc/file", "/init", replace=True)
    assert os.readlink(tree.folder / "etc/file") == "/init"


def test_executable_means_a_file_with_an_x_bit(tree: Inside) -> None:
    assert not tree.is_executable("/etc/file")
    (tree.folder / "etc/file").chmod(0o755)
    assert tree.is_executable("/etc/file")
    assert not tree.is_executable("/etc")
