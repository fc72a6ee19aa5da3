"""Merges a stack of layers into the sorted entries of the tree. A tree has 10^5 and every build walks it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from builder.execute.layers.listing import Listed, Node
from builder.model.entry import Entry, Identity, Kind

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL = {stat.S_IFCHR: Kind.CHAR, stat.S_IFBLK: Kind.BLOCK, stat.S_IFIFO: Kind.FIFO}


class _Found(NamedTuple):
    """What a name of the tree is: `node` of `layer`. If it is a directory, `folders` are all layers whose
    children it has, the topmost first, and `opaque` says whether the last of them hides those below."""

    layer: Listed
    node: Node
    folders: tuple[Listed, ...]
    opaque: bool


_Links = dict[tuple[str, int], bytes]


def merge_layers(layers: tuple[Listed, ...]) -> Iterator[Entry]:
    """The tree that `layers` (the topmost first) make: depth first, siblings by raw bytes, without the root.

    Whiteouts and what they hide are left out. The first name of a file carries it, its others are
    HARDLINKs. Every FILE has an identity; with content it has an opener too.
    """
    links: _Links = {}
    stack = [_read_folder(layers, b"")]
    while stack:
        for path, found in stack[-1]:
            yield _entry(path, found.layer, found.node, links)
            if found.folders:
                stack.append(_read_folder(found.folders, path))
                break
        else:
            stack.pop()


def _read_folder(layers: tuple[Listed, ...], path: bytes) -> Iterator[tuple[bytes, _Found]]:
    """The sorted children of the directory `path` that `layers` have."""
    prefix = path + b"/" if path else b""
    if len(layers) == 1:
        layer = layers[0]
        for node in layer.listing.get(path, ()):
            if not node.is_whiteout:
                yield prefix + node.name, _found(layer, node)
        return
    children = _merge_children(layers, path)
    for name in sorted(children):
        if not children[name].node.is_whiteout:
            yield prefix + name, children[name]


def _merge_children(layers: tuple[Listed, ...], path: bytes) -> dict[bytes, _Found]:
    children: dict[bytes, _Found] = {}
    closed: set[bytes] = set()
    for layer in layers:
        for node in layer.listing.get(path, ()):
            found = _found(layer, node)
            above = children.setdefault(node.name, found)
            if above is found or node.name in closed:
                continue
            if above.folders and found.folders and not above.opaque:
                merged = above.folders + found.folders
                children[node.name] = above._replace(folders=merged, opaque=found.opaque)
            else:
                closed.add(node.name)
    return children


def _found(layer: Listed, node: Node) -> _Found:
    return _Found(layer, node, (layer,) if stat.S_ISDIR(node.mode) else (), node.opaque)


def _entry(path: bytes, layer: Listed, node: Node, links: _Links) -> Entry:
    kind, mode = stat.S_IFMT(node.mode), node.mode & 0o7777
    common = (mode, node.uid, node.gid, node.mtime)
    if node.inode:
        first = links.setdefault((layer.identity, node.inode), path)
        if first is not path:
            return Entry(path, Kind.HARDLINK, *common, target=first)
    if kind == stat.S_IFREG:
        size, identity = node.size, Identity(layer.identity, path)
        opener = partial(os.open, layer.root + b"/" + path, _OPEN) if size else None
        return Entry(path, Kind.FILE, *common, size, b"", node.xattrs, (0, 0), opener, identity)
    if kind == stat.S_IFDIR:
        return Entry(path, Kind.DIRECTORY, *common, xattrs=node.xattrs)
    if kind == stat.S_IFLNK:
        return Entry(path, Kind.SYMLINK, *common, target=node.target, xattrs=node.xattrs)
    device = (os.major(node.device), os.minor(node.device))
    return Entry(
        path, _SPECIAL[kind], *common, xattrs=node.xattrs, device=device if kind != stat.S_IFIFO else (0, 0)
    )
