"""Removing trees that are deeper than the kernel's paths and Python's recursion."""

from __future__ import annotations

import os
from pathlib import Path

from builder.extraction.remove import remove_tree


def test_a_tree_of_thousands_of_folders_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("folder", dir_fd=here)
        inner = os.open("folder", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove_tree(top)
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").touch()
    (tmp_path / "top/a/removed-0").mkdir(parents=True)
    (tmp_path / "top/removed-0").mkdir()
    (tmp_path / "top/a/link").symlink_to(tmp_path / "outside")
    (tmp_path / "top/link").symlink_to(tmp_path / "outside")
    remove_tree(tmp_path / "top")
    assert [path.name for path in tmp_path.rglob("*")] == ["outside", "kept"]
