"""Looks paths up in a stack of layers as overlayfs would show them, links followed inside the image."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from builder.execute.layers.form import is_opaque, is_whiteout
from builder.execute.layers.walk import find_spot


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """What a path is. `places` are where it lies on the host: one for a file, and for a directory one for
    each layer that has part of it, the topmost first. `path` is its own one in the image, without links."""

    path: bytes
    places: tuple[bytes, ...]
    status: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def target(self) -> bytes | None:
        """Where it leads, if it is a symbolic link."""
        return os.readlink(self.places[0]) if stat.S_ISLNK(self.status.st_mode) else None

    @property
    def access(self) -> tuple[int, int, int]:
        """Its 12 permission bits, uid and gid."""
        return stat.S_IMODE(self.status.st_mode), self.status.st_uid, self.status.st_gid


class View:
    """The tree that `layers` (diff directories, the topmost first) make together."""

    def __init__(self, layers: tuple[bytes, ...]) -> None:
        self.root = Node(path=b"", places=layers, status=os.lstat(layers[0]))

    def child(self, folder: Node, name: bytes) -> Node | None:
        """What `folder` holds under `name`."""
        places: list[bytes] = []
        first: os.stat_result | None = None
        for place in folder.places:
            path = place + b"/" + name
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                continue
            if is_whiteout(status) or (first and not stat.S_ISDIR(status.st_mode)):
                break
            places.append(path)
            first = first or status
            if not stat.S_ISDIR(status.st_mode) or is_opaque(path):
                break
        if first is None:
            return None
        return Node(path=join(folder.path, name), places=tuple(places), status=first)

    def names(self, folder: Node) -> list[bytes]:
        """The sorted names in `folder`."""
        found = {name for place in folder.places for name in os.listdir(place)}
        return sorted(name for name in found if self.child(folder, name))

    def find(self, path: bytes, *, follow: bool) -> Node | None:
        """The node at `path`; links in its parents are followed, and one at its end if `follow`.

        Raises ExecuteError for a loop of links.
        """
        return find_spot(self, path, follow=follow)


def join(folder: bytes, name: bytes) -> bytes:
    """`name` below `folder`, where b"" is the root."""
    return folder + b"/" + name if folder else name


def image_path(path: str) -> bytes:
    """An absolute path of the image as the layers know it: raw bytes, no leading or trailing slash."""
    return os.fsencode(path).strip(b"/")
