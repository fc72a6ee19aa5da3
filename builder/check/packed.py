"""An image without reading it: what `collect` finds in an archive, from the entries that were packed into it.

Only for archives that `builder.tar` wrote. What is plain goes into the tree at once; whatever a rule could
have something to say about is extracted like a member of any archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

from builder.check.collect import Collected, Keeper, take
from builder.extraction.extraction import Extraction
from builder.extraction.nature import OTHER, Look, classify
from builder.extraction.tree import Node
from builder.model.entry import Entry, Kind
from builder.tar.compression import Compression
from builder.tar.format import XATTR_KEY
from builder.tar.header import member_name
from builder.tar.member import Body, Member
from builder.tar.window import Window

_NOBODY = 0xFFFFFFFF
_LONG = 255


class EntryCollector:
    """Collects what `collect` finds in an archive, entry by entry; compression and sizes stay unknown."""

    def __init__(self) -> None:
        self.found = Collected()
        self._keeper = Keeper()

    def add(self, entry: Entry) -> Node | None:
        """Extract `entry`, the next of the image, root first. Returns the node of a file whose first bytes
        the caller has to classify. Raises OSError when a file that the rules want cannot be read."""
        self.found.members += 1
        left = _add(entry, self.found)
        if left is None or entry.kind is not Kind.FILE:
            return None
        path, node = left
        if node.kind is not Kind.FILE:
            return None
        if self._keeper.keeps(path, entry.size):
            node.content = _read(entry)
            node.nature, node.machine = classify(node.content)
            return None
        return node if entry.size else None


def collect_entries(
    entries: Iterable[Entry],
    looks: Mapping[bytes, Look],
    *,
    compression: Compression,
    file_size: int,
    tar_size: int,
) -> Collected:
    """What `collect` finds in the image that `entries` were written to, in their order, root first.

    `looks` says of each file with content what it is. Sizes are those of the image and of its archive, in
    bytes. Raises OSError when the content of a file that the rules want cannot be read.
    """
    collector = EntryCollector()
    for entry in entries:
        if (node := collector.add(entry)) is not None:
            node.nature, node.machine = looks.get(entry.path, OTHER)
    return replace(collector.found, compression=compression, file_size=file_size, tar_size=tar_size)


def _add(entry: Entry, found: Collected) -> tuple[bytes, Node] | None:
    if not _is_plain(entry, found.extraction):
        return take(_as_member(entry), found)
    found.newest = max(found.newest, entry.mtime)
    size = entry.size if entry.kind is Kind.FILE else 0
    node = Node(kind=entry.kind, mode=entry.mode & 0o7777, uid=entry.uid, gid=entry.gid, size=size)
    found.extraction.tree.add(entry.path, node)
    return entry.path, node


def _is_plain(entry: Entry, extraction: Extraction) -> bool:
    """Whether `entry` is a file or directory that simply appears under its name, where nothing was."""
    path, nodes = entry.path, extraction.tree.nodes
    if entry.xattrs or not (entry.kind is Kind.FILE or entry.kind is Kind.DIRECTORY):
        return False
    if len(path) > _LONG or path[:1] in b"/\\" or path[1:2] == b":" or b"/." in path or path[:1] == b".":
        return False
    above = nodes.get(path.rpartition(b"/")[0])
    there = above is not None and above.kind is Kind.DIRECTORY and path not in nodes
    return there and b"//" not in path and path[-1:] != b"/" and entry.uid < _NOBODY > entry.gid


def _as_member(entry: Entry) -> Member:
    """`entry` as it is read again; its content, which extracting does not look at, is left out."""
    return Member(
        name=member_name(entry),
        flag=entry.kind.value,
        mode=entry.mode & 0o7777,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size if entry.kind is Kind.FILE else 0,
        mtime=entry.mtime,
        linkname=entry.target,
        uname=b"",
        gname=b"",
        device=entry.device,
        xattrs=tuple(sorted(entry.xattrs)),
        pax={XATTR_KEY + name: value for name, value in entry.xattrs},
        offset=0,
        body=Body(Window(()), 0),
    )


def _read(entry: Entry) -> bytes:
    if entry.open is None:
        return b""
    with os.fdopen(entry.open(), "rb") as file:
        return file.read(entry.size)
