"""Puts entries over a stack of layers: PutEntry -> files of a new top layer."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable

from builder.core.errors import ExecuteError
from builder.execute.layers.copy import copy_unchanged
from builder.execute.layers.form import FULL_DISK, copy_metadata
from builder.execute.layers.view import Node, View, image_path, join
from builder.model.entry import Kind
from builder.model.operation import Content, PutEntry


def lay_entries(upper: bytes, below: tuple[bytes, ...], entries: Iterable[PutEntry]) -> None:
    """Write `entries` into the layer `upper` that lies on `below` (the topmost first).

    Raises ExecuteError where a parent is not a directory or a uid lies outside the user namespace.
    """
    top = TopLayer(upper, below)
    for entry in entries:
        try:
            _lay_entry(top, entry)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise
            raise _cannot_write(entry, error) from error


def _cannot_write(entry: PutEntry, error: OSError) -> ExecuteError:
    return ExecuteError(f"cannot be written with owner {entry.uid}:{entry.gid}: {error}", where=entry.path)


def _lay_entry(top: TopLayer, entry: PutEntry) -> None:
    path = image_path(entry.path)
    if entry.kind is Kind.DIRECTORY:
        _lay_directory(top, path, entry)
    elif entry.kind is Kind.SYMLINK:
        place = top.clear(path)
        os.symlink(os.fsencode(entry.target), place)
        os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
    else:
        _lay_file(top, path, entry)


def _lay_directory(top: TopLayer, path: bytes, entry: PutEntry) -> None:
    """A link to a directory stands for the directory: to replace /lib of a merged /usr ends the system."""
    old = top.view.find(path, follow=True)
    if old and old.is_directory:
        place = top.claim(old)
    else:
        place = top.clear(path)
        _make_folder(place)
    if entry.mode is not None:
        os.chown(place, entry.uid, entry.gid)
        os.chmod(place, entry.mode)


def _lay_file(top: TopLayer, path: bytes, entry: PutEntry) -> None:
    """Without a mode a file that is there keeps its own and its owner, and links to it stay links."""
    uid, gid, mode = entry.uid, entry.gid, entry.mode
    if mode is None:
        old = top.view.find(path, follow=True)
        uid, gid, mode = 0, 0, 0o644
        if old and not old.is_directory:
            path, uid, gid = old.path, old.status.st_uid, old.status.st_gid
            mode = stat.S_IMODE(old.status.st_mode)
    place = top.clear(path)
    write_content(place, entry.content)
    os.chown(place, uid, gid)
    os.chmod(place, mode)  # after chown, which takes setuid away


def write_content(place: bytes, content: Content | None) -> None:
    """Write a new file; without content it is empty. Raises ExecuteError if it is not what was announced."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(place, flags, 0o600), "wb") as file:
        if content is None:
            return
        if content.data is not None:
            file.write(content.data)
        elif content.path is not None:
            copy_unchanged(content.path, content.digest, file)


def _make_folder(place: bytes) -> None:
    os.mkdir(place)
    os.chmod(place, 0o755)  # noqa: S103 - whatever the umask is


class TopLayer:
    """The layer being written, and the view of it on the layers below."""

    def __init__(self, upper: bytes, below: tuple[bytes, ...]) -> None:
        self.upper = upper
        self.view = View((upper, *below))

    def claim(self, folder: Node) -> bytes:
        """The place of the directory `folder` in this layer, made with its metadata if it was below only."""
        place = join(self.upper, folder.path) if folder.path else self.upper
        if folder.places[0] != place:
            parent = os.path.dirname(folder.path)
            self.claim(self._known(parent))
            os.mkdir(place)
            copy_metadata(folder.places[0], folder.status, place)
        return place

    def _known(self, path: bytes) -> Node:
        node = self.view.find(path, follow=False)
        assert node is not None, path
        return node

    def folder(self, path: bytes) -> Node:
        """The directory at `path`, links followed; made 0755 0:0, with its parents, where it is missing."""
        node = self.view.find(path, follow=True)
        if node is None:
            parent = self.folder(os.path.dirname(path))
            self._refuse_dangling(path, parent)
            place = join(self.claim(parent), os.path.basename(path))
            _make_folder(place)
            node = self._known(join(parent.path, os.path.basename(path)))
        if not node.is_directory:
            raise ExecuteError("is not a directory, but something is to be put below it", where=_shown(path))
        return node

    def _refuse_dangling(self, path: bytes, parent: Node) -> None:
        there = self.view.child(parent, os.path.basename(path))
        if there is not None and there.is_link:
            target = os.fsdecode(os.readlink(there.places[0]))
            raise ExecuteError(
                f"is a link to {target}, which does not exist, but something is to be put below it",
                where=_shown(path),
                fix=f"create {target} first, or remove the link",
            )

    def clear(self, path: bytes) -> bytes:
        """Where to create `path` in this layer: its parents are there, and nothing else is.

        What the layers below have is hidden by whatever is created, unless both are directories.
        """
        parent = self.folder(os.path.dirname(path))
        place = join(self.claim(parent), os.path.basename(path))
        try:
            status = os.lstat(place)
        except FileNotFoundError:
            return place
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(place)
        else:
            os.unlink(place)
        return place


def _shown(path: bytes) -> str:
    return "/" + os.fsdecode(path)
