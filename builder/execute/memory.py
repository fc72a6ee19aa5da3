"""A tree in memory: names that point to entries. A tree made over another shares with it what it keeps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from builder.core.errors import ExecuteError
from builder.execute.layers.match import matches
from builder.execute.layers.put import Access
from builder.execute.layers.view import image_path, join
from builder.execute.layers.walk import find_spot
from builder.model.entry import Entry, Identity, Kind
from builder.model.operation import Content

# Later than any time that a plan clamps to: what is put into a tree is as new as the image.
_NEW = 2**62
_WHITEOUT = b".wh."
_WITH_XATTRS = (Kind.FILE, Kind.DIRECTORY)


class Stored(NamedTuple):
    """Content that stays as it is: `size` bytes, an opener unless there are none, and what names them."""

    size: int
    open: Callable[[], int] | None
    identity: Identity | None


class Node:
    """What a name stands for. `children` is None for all but directories; names of one file share `entry`.

    Only the tree `owner` may change it: to others it is as it was.
    """

    __slots__ = ("children", "entry", "owner", "path")

    def __init__(
        self, path: bytes, entry: Entry, owner: object, children: dict[bytes, Node] | None = None
    ) -> None:
        self.path = path
        self.entry = entry
        self.owner = owner
        self.children = children

    @property
    def is_directory(self) -> bool:
        """See Spot."""
        return self.children is not None

    @property
    def target(self) -> bytes | None:
        """See Spot."""
        return self.entry.target if self.entry.kind is Kind.SYMLINK else None

    @property
    def access(self) -> Access:
        """See Spot."""
        return self.entry.mode, self.entry.uid, self.entry.gid


class MemoryTree:
    """A tree like `below`, to be changed; empty without one. `store` has content stay as it is."""

    def __init__(self, store: Callable[[Content], Stored], below: MemoryTree | None = None) -> None:
        self._store = store
        children = dict[bytes, Node](below.root.children or {}) if below else {}
        self.root: Node = Node(b"", Entry(b"", Kind.DIRECTORY, 0o755), self, children)

    def child(self, folder: Node, name: bytes) -> Node | None:
        """See Walkable."""
        return (folder.children or {}).get(name)

    def names(self, folder: Node) -> list[bytes]:
        """See Walkable."""
        return sorted(folder.children or ())

    def make_folder(self, parent: Node, name: bytes) -> Node:
        """See Writable."""
        return self._set(parent, name, Entry(b"", Kind.DIRECTORY, 0o755, mtime=_NEW))

    def make_link(self, parent: Node, name: bytes, target: bytes, owner: tuple[int, int]) -> None:
        """See Writable."""
        self._set(parent, name, Entry(b"", Kind.SYMLINK, 0o777, *owner, _NEW, target=target))

    def make_file(self, parent: Node, name: bytes, content: Content | None, access: Access) -> None:
        """See Writable."""
        size, opener, identity = self._store(content) if content else Stored(0, None, None)
        entry = Entry(b"", Kind.FILE, *access, _NEW, size, open=opener, identity=identity)
        self._set(parent, name, entry)

    def set_access(self, folder: Node, access: Access) -> None:
        """See Writable."""
        mode, uid, gid = access
        own = self._claim(folder.path)
        own.entry = own.entry._replace(mode=mode, uid=uid, gid=gid)

    def add(self, entry: Entry) -> None:
        """Take in an entry of a base: its parents and the file that it is a link to are there.

        What no layer on a disk would keep of it is left out. Raises ExecuteError where they are missing.
        """
        folder, name = os.path.split(entry.path)
        parent = find_spot(self, folder, follow=True)
        if parent is None or not parent.is_directory:
            raise ExecuteError("does not lie in a directory", where="/" + os.fsdecode(entry.path))
        if entry.kind is Kind.HARDLINK:
            self._set(parent, name, self._linked(entry))
        elif entry.kind is Kind.DIRECTORY:
            self._add_folder(parent, name, entry)
        elif entry.kind is not Kind.CHAR or entry.device != (0, 0):  # 0:0 is a whiteout, which hides itself
            mode = 0o777 if entry.kind is Kind.SYMLINK else entry.mode
            self._set(parent, name, _with_xattrs(entry)._replace(mode=mode))

    def _add_folder(self, parent: Node, name: bytes, entry: Entry) -> None:
        """A link to a directory stays, and what is in one that is there stays in it."""
        old = find_spot(self, entry.path, follow=True)
        if old is None or not old.is_directory:
            self._set(parent, name, _with_xattrs(entry))
        elif name and old.path == join(parent.path, name):
            self._claim(old.path).entry = _with_xattrs(entry)

    def _linked(self, link: Entry) -> Entry:
        file = find_spot(self, link.target, follow=False)
        if file is None or file.is_directory:
            target = "/" + os.fsdecode(link.target)
            raise ExecuteError(f"is a link to {target}, which is no file", where="/" + os.fsdecode(link.path))
        return file.entry

    def remove(self, patterns: tuple[str, ...]) -> None:
        """Take out what `patterns` match."""
        found = [path for pattern in patterns for path in sorted(matches(self, image_path(pattern)))]
        for path in found:
            folder, name = os.path.split(path)
            if find_spot(self, path, follow=False) is not None:  # an earlier one may have taken it
                (self._claim(folder).children or {}).pop(name)

    def read(self, path: str) -> bytes | None:
        """See Engine."""
        node = find_spot(self, image_path(path), follow=True)
        if node is None or node.entry.kind is not Kind.FILE:
            return None
        if node.entry.open is None:
            return b""
        with open(node.entry.open(), "rb") as file:
            return file.read(node.entry.size)

    def entries(self) -> Iterator[Entry]:
        """See Engine."""
        firsts: dict[int, bytes] = {}
        stack = [self._children(self.root)]
        while stack:
            for node in stack[-1]:
                if node.children is None:
                    yield _named(node, firsts.setdefault(id(node.entry), node.path))
                    continue
                yield node.entry._replace(path=node.path)
                stack.append(self._children(node))
                break
            else:
                stack.pop()

    def changes(self, below: MemoryTree) -> Iterator[Entry]:
        """What makes this tree of `below`, which it was made over, as a layer of a container image: what is
        gone has a whiteout (image-spec layer.md)."""
        yield from _compare(below.root, self.root)

    def _children(self, folder: Node) -> Iterator[Node]:
        children = folder.children or {}
        return (children[name] for name in sorted(children))

    def _set(self, parent: Node, name: bytes, entry: Entry) -> Node:
        own = self._claim(parent.path)
        assert own.children is not None, parent.path
        children = dict[bytes, Node]() if entry.kind is Kind.DIRECTORY else None
        node = own.children[name] = Node(join(own.path, name), entry, self, children)
        return node

    def _claim(self, path: bytes) -> Node:
        """The directory at `path`, which has no links, and those above it, made this tree's own."""
        node = self.root
        for name in path.split(b"/") if path else ():
            assert node.children is not None, path
            child = node.children[name]
            if child.owner is not self:
                child = Node(child.path, child.entry, self, dict(child.children or {}))
                node.children[name] = child
            node = child
        return node


def _with_xattrs(entry: Entry) -> Entry:
    return entry._replace(xattrs=tuple(sorted(entry.xattrs)) if entry.kind in _WITH_XATTRS else ())


def _named(node: Node, first: bytes) -> Entry:
    """The entry of `node`; a link if its file is already there under the name `first`."""
    entry = node.entry
    if first == node.path:
        return entry._replace(path=first)
    return Entry(node.path, Kind.HARDLINK, entry.mode, entry.uid, entry.gid, entry.mtime, target=first)


def _compare(old: Node | None, new: Node) -> Iterator[Entry]:
    before, after = (old.children or {}) if old else {}, new.children or {}
    for name in sorted(before.keys() | after.keys()):
        was, node = before.get(name), after.get(name)
        if node is None:
            yield Entry(join(new.path, _WHITEOUT + name), Kind.FILE, 0o644)
        elif node is not was:
            yield node.entry._replace(path=node.path)
            if node.is_directory:
                yield from _compare(was, node)
