"""Puts entries over a stack of layers: PutEntry -> files of a new top layer."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable

from builder.core.errors import ExecuteError
from builder.execute.layers.copy import copy_unchanged
from builder.execute.layers.form import FULL_DISK, copy_metadata, make_opaque
from builder.execute.layers.put import Access, put_entry
from builder.execute.layers.view import Node, View, join
from builder.model.operation import Content, PutEntry


def lay_entries(upper: bytes, below: tuple[bytes, ...], entries: Iterable[PutEntry]) -> None:
    """Write `entries` into the layer `upper` that lies on `below` (the topmost first).

    Raises ExecuteError where a parent is not a directory or a uid lies outside the user namespace.
    """
    top = TopLayer(upper, below)
    for entry in entries:
        try:
            put_entry(top, entry)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise
            raise _cannot_write(entry, error) from error


def _cannot_write(entry: PutEntry, error: OSError) -> ExecuteError:
    return ExecuteError(f"cannot be written with owner {entry.uid}:{entry.gid}: {error}", where=entry.path)


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


class TopLayer(View):
    """The layer `upper` being written, and the view of it on the layers `below` (the topmost first)."""

    def __init__(self, upper: bytes, below: tuple[bytes, ...]) -> None:
        super().__init__((upper, *below))
        self.upper = upper

    def make_folder(self, parent: Node, name: bytes) -> Node:
        """See Writable."""
        place = self._clear(parent, name)
        os.mkdir(place)
        os.chmod(place, 0o755)  # noqa: S103 - whatever the umask is
        folder = self._known(join(parent.path, name))
        if len(folder.places) == 1:
            return folder
        make_opaque(place)  # else what a file had hidden would show again
        return self._known(folder.path)

    def make_link(self, parent: Node, name: bytes, target: bytes, owner: tuple[int, int]) -> None:
        """See Writable."""
        place = self._clear(parent, name)
        os.symlink(target, place)
        os.chown(place, *owner, follow_symlinks=False)

    def make_file(self, parent: Node, name: bytes, content: Content | None, access: Access) -> None:
        """See Writable."""
        place = self._clear(parent, name)
        write_content(place, content)
        _set_access(place, access)

    def set_access(self, folder: Node, access: Access) -> None:
        """See Writable."""
        _set_access(self.claim(folder), access)

    def claim(self, folder: Node) -> bytes:
        """The place of the directory `folder` in this layer, made with its metadata if it was below only."""
        place = join(self.upper, folder.path) if folder.path else self.upper
        if folder.places[0] != place:
            self.claim(self._known(os.path.dirname(folder.path)))
            os.mkdir(place)
            copy_metadata(folder.places[0], folder.status, place)
        return place

    def _known(self, path: bytes) -> Node:
        node = self.find(path, follow=False)
        assert node is not None, path
        return node

    def _clear(self, parent: Node, name: bytes) -> bytes:
        """Where to create `name` in this layer: its parents are there, and nothing else is.

        What the layers below have is hidden by whatever is created, unless both are directories.
        """
        place = join(self.claim(parent), name)
        try:
            status = os.lstat(place)
        except FileNotFoundError:
            return place
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(place)
        else:
            os.unlink(place)
        return place


def _set_access(place: bytes, access: Access) -> None:
    mode, uid, gid = access
    os.chown(place, uid, gid)
    os.chmod(place, mode)  # after chown, which takes setuid away
