"""What putting an entry into a tree means: where it goes, what it replaces, whose it becomes."""

from __future__ import annotations

import os
from typing import Protocol, TypeVar

from builder.core.errors import ExecuteError
from builder.execute.layers.view import image_path
from builder.execute.layers.walk import Spot, Walkable, find_spot
from builder.model.entry import Kind
from builder.model.operation import Content, PutEntry

S = TypeVar("S", bound=Spot)
Access = tuple[int, int, int]
"""Permission bits, uid and gid."""


class Writable(Walkable[S], Protocol[S]):
    """A tree that can be changed. What is made takes the place of whatever the parent has by that name."""

    def make_folder(self, parent: S, name: bytes) -> S:
        """A new directory, 0755 and root's."""

    def make_link(self, parent: S, name: bytes, target: bytes, owner: tuple[int, int]) -> None:
        """A symbolic link."""

    def make_file(self, parent: S, name: bytes, content: Content | None, access: Access) -> None:
        """A file; without content it is empty. Raises ExecuteError where the content is not what it was."""

    def set_access(self, folder: S, access: Access) -> None:
        """Change whose the directory `folder` is."""


def put_entry(tree: Writable[S], entry: PutEntry) -> None:
    """Lay `entry` over `tree`, as `PutEntry` describes. Raises ExecuteError where a parent is none."""
    path = image_path(entry.path)
    if entry.kind is Kind.DIRECTORY:
        _put_folder(tree, path, entry)
    elif entry.kind is Kind.SYMLINK:
        tree.make_link(*_place(tree, path), os.fsencode(entry.target), (entry.uid, entry.gid))
    else:
        _put_file(tree, path, entry)


def _put_folder(tree: Writable[S], path: bytes, entry: PutEntry) -> None:
    """A link to a directory stands for the directory: to replace /lib of a merged /usr ends the system."""
    folder = find_spot(tree, path, follow=True)
    if folder is None or not folder.is_directory:
        folder = tree.make_folder(*_place(tree, path))
    if entry.mode is not None:
        tree.set_access(folder, (entry.mode, entry.uid, entry.gid))


def _put_file(tree: Writable[S], path: bytes, entry: PutEntry) -> None:
    """Without a mode a file that is there keeps its own and its owner, and links to it stay links."""
    access = (entry.mode or 0, entry.uid, entry.gid)
    if entry.mode is None:
        old, access = find_spot(tree, path, follow=True), (0o644, 0, 0)
        if old and not old.is_directory:
            path, access = old.path, old.access
    tree.make_file(*_place(tree, path), entry.content, access)


def _place(tree: Writable[S], path: bytes) -> tuple[S, bytes]:
    """The directory that `path` lies in, and its name there."""
    folder, name = os.path.split(path)
    return _folder(tree, folder), name


def _folder(tree: Writable[S], path: bytes) -> S:
    """The directory at `path`, links followed; made 0755 0:0, with its parents, where it is missing."""
    folder = find_spot(tree, path, follow=True)
    if folder is None:
        parent, name = _place(tree, path)
        _refuse_dangling(tree, path, parent, name)
        folder = tree.make_folder(parent, name)
    if not folder.is_directory:
        raise ExecuteError("is not a directory, but something is to be put below it", where=_shown(path))
    return folder


def _refuse_dangling(tree: Writable[S], path: bytes, parent: S, name: bytes) -> None:
    there = tree.child(parent, name)
    if there is not None and there.target is not None:
        target = os.fsdecode(there.target)
        raise ExecuteError(
            f"is a link to {target}, which does not exist, but something is to be put below it",
            where=_shown(path),
            fix=f"create {target} first, or remove the link",
        )


def _shown(path: bytes) -> str:
    return "/" + os.fsdecode(path)
