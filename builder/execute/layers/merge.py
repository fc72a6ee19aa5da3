"""Merges a stack of layers into the sorted entries of the tree.

A tree has 10^5 entries and every build walks it: each directory is read once, and the kernel is asked
nothing twice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from builder.execute.layers.form import content_xattrs, is_opaque
from builder.model.entry import Entry, Identity, Kind

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_SECOND = 10**9
_SPECIAL = {stat.S_IFCHR: Kind.CHAR, stat.S_IFBLK: Kind.BLOCK, stat.S_IFIFO: Kind.FIFO}


class Place(NamedTuple):
    """A path on the host and what identifies the layer it belongs to."""

    layer: str
    path: bytes


class _Found(NamedTuple):
    """What a name of the tree is. `folders` are all directories that it merges, the topmost first."""

    place: Place
    status: os.stat_result
    folders: tuple[Place, ...]


_Links = dict[tuple[int, int], bytes]


def merge_layers(layers: tuple[Place, ...]) -> Iterator[Entry]:
    """The tree that `layers` (the topmost first) make: depth first, siblings by raw bytes, without the root.

    Whiteouts, what they hide and sockets are left out. The first name of a file carries it, its others are
    HARDLINKs. Every FILE has an identity; with content it has an opener too.
    """
    links: _Links = {}
    stack = [_read_folder(layers, b"")]
    while stack:
        for path, found in stack[-1]:
            kind = stat.S_IFMT(found.status.st_mode)
            if kind == stat.S_IFSOCK:
                continue
            yield _entry(path, found.place, found.status, kind, links)
            if found.folders:
                stack.append(_read_folder(found.folders, path))
                break
        else:
            stack.pop()


def _read_folder(folders: tuple[Place, ...], path: bytes) -> Iterator[tuple[bytes, _Found]]:
    """The sorted children of the directory `path` that lies at `folders`."""
    prefix = path + b"/" if path else b""
    children: dict[bytes, _Found] = {}
    closed: set[bytes] = set()
    for folder in folders:
        for name, found in _scan(folder):
            above = children.setdefault(name, found)
            if above is found or name in closed:
                continue
            if above.folders and found.folders and not is_opaque(above.folders[-1].path):
                children[name] = above._replace(folders=above.folders + found.folders)
            else:
                closed.add(name)
    for name in sorted(children):
        status = children[name].status
        if status.st_rdev or not stat.S_ISCHR(status.st_mode):  # a whiteout is the device 0:0
            yield prefix + name, children[name]


def _scan(folder: Place) -> Iterator[tuple[bytes, _Found]]:
    with os.scandir(folder.path) as items:
        for item in items:
            place = Place(folder.layer, item.path)
            status = item.stat(follow_symlinks=False)
            yield item.name, _Found(place, status, (place,) if stat.S_ISDIR(status.st_mode) else ())


def _entry(path: bytes, place: Place, status: os.stat_result, kind: int, links: _Links) -> Entry:
    mode, size, mtime = status.st_mode & 0o7777, 0, status.st_mtime_ns // _SECOND
    common = (mode, status.st_uid, status.st_gid, mtime)
    if status.st_nlink > 1 and kind != stat.S_IFDIR:
        first = links.setdefault((status.st_dev, status.st_ino), path)
        if first is not path:
            return Entry(path, Kind.HARDLINK, *common, target=first)
    xattrs = content_xattrs(place.path)
    if kind == stat.S_IFDIR:
        return Entry(path, Kind.DIRECTORY, *common, xattrs=xattrs)
    if kind == stat.S_IFLNK:
        return Entry(path, Kind.SYMLINK, *common, target=os.readlink(place.path), xattrs=xattrs)
    if kind == stat.S_IFREG:
        size = status.st_size
        opener = partial(os.open, place.path, _OPEN) if size else None
        identity = Identity(place.layer, path)
        return Entry(path, Kind.FILE, *common, size, b"", xattrs, (0, 0), opener, identity)
    device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    return Entry(
        path, _SPECIAL[kind], *common, xattrs=xattrs, device=device if kind != stat.S_IFIFO else (0, 0)
    )
