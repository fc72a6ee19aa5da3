"""Layers become one tree, exactly as an engine would unpack one over the other.

A name of the tree points to what it names; hard links share that, so a link keeps its data when a higher
layer replaces its target's name. The rules are those of the OCI image specification (layer.md): whiteouts
concern lower layers only, wherever they stand in their archive, so each layer's are applied before its
entries. Names below symbolic links are put where these lead inside the image.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from builder.core.errors import ResolveError
from builder.model.entry import Entry, Kind

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_AUFS = b".wh..wh."
_MOST_LINKS = 40


class _Node:
    """What a name stands for. `children` is None for all but directories; `entry` is shared by hard links."""

    __slots__ = ("children", "entry")

    def __init__(self, entry: Entry, children: dict[bytes, _Node] | None = None) -> None:
        self.entry = entry
        self.children = children


class Tree:
    """A tree that layers are applied to, the lowest first. Its memory grows with its entries alone."""

    def __init__(self) -> None:
        self._root = _Node(Entry(b"", Kind.DIRECTORY, 0o755), {})

    def apply(self, entries: Iterable[Entry], where: str) -> None:
        """Lay the members of one layer over the tree. Raises ResolveError for what no engine could unpack."""
        kept, whiteouts = _part(entries, where)
        above = {folder for path in whiteouts for folder in _folders_above(path)}
        new = {entry.path for entry in kept if entry.path in above and self._is_new(entry)}
        for path in whiteouts:
            if new.isdisjoint(_folders_above(path)):
                self._hide(path)
        for entry in kept:
            self._lay(entry, where)

    def entries(self) -> Iterator[Entry]:
        """The tree, depth first, siblings by raw bytes, every directory explicit, the root not.

        The first name of a file carries it, its others are HARDLINKs to that.
        """
        firsts: dict[int, bytes] = {}
        stack = [_sorted(b"", self._root)]
        while stack:
            for path, node in stack[-1]:
                if node.children is None:
                    yield _named(node.entry, path, firsts.setdefault(id(node.entry), path))
                    continue
                yield node.entry._replace(path=path)
                stack.append(_sorted(path + b"/", node))
                break
            else:
                stack.pop()

    def find(self, path: bytes) -> Entry | None:
        """What `path` leads to, links followed; None if that is not there."""
        node = self._walk(path)
        return None if node is None else node.entry

    def read(self, path: bytes, limit: int = 1 << 20) -> bytes | None:
        """The first `limit` bytes of the file that `path` leads to; None if there is no such file."""
        entry = self.find(path)
        if entry is None or entry.kind is not Kind.FILE:
            return None
        if entry.open is None:
            return b""
        with open(entry.open(), "rb") as file:
            return file.read(min(limit, entry.size))

    def _walk(self, path: bytes, make: Entry | None = None) -> _Node | None:
        """The node that `path` leads to, links followed inside the image; None if there is none.

        For the sake of the entry `make`, directories that are missing on the way are made.
        """
        todo, way, links = deque(path.split(b"/")), [self._root], 0
        while todo:
            part = todo.popleft()
            if part in (b"", b"."):
                continue
            if part == b"..":
                del way[max(1, len(way) - 1) :]
                continue
            node = _step(way[-1], part, make)
            if node is None:
                return None
            if node.entry.kind is not Kind.SYMLINK:
                way.append(node)
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            if node.entry.target.startswith(b"/"):
                del way[1:]
            todo.extendleft(reversed(node.entry.target.split(b"/")))
        return way[-1]

    def _children(self, path: bytes, make: Entry | None = None) -> dict[bytes, _Node] | None:
        """What the directory that `path` lies in holds."""
        folder = self._walk(path.rpartition(b"/")[0], make)
        return None if folder is None else folder.children

    def _is_new(self, entry: Entry) -> bool:
        """Whether `entry` is a directory that takes the place of a link or file. Whiteouts below it mean its
        own content, of which there is none, and not what a link leads to."""
        children = self._children(entry.path) if entry.kind is Kind.DIRECTORY else None
        old = (children or {}).get(entry.path.rpartition(b"/")[2])
        return old is not None and old.children is None

    def _hide(self, whiteout: bytes) -> None:
        """Take away what `whiteout` stands for."""
        children = self._children(whiteout)
        name = whiteout.rpartition(b"/")[2]
        if children and name == _OPAQUE:
            children.clear()
        elif children:
            children.pop(name.removeprefix(_WHITEOUT), None)

    def _lay(self, entry: Entry, where: str) -> None:
        """Put `entry` in its place. Directories merge, all else replaces what is there."""
        name = entry.path.rpartition(b"/")[2]
        if not name:
            return
        children = self._children(entry.path, make=entry)
        if children is None:
            raise ResolveError(f"holds {_shown(entry.path)}, which lies below a file", where=where)
        old = children.get(name)
        if entry.kind is Kind.HARDLINK:
            children[name] = _Node(self._linked(entry, where))
        elif entry.kind is not Kind.DIRECTORY:
            children[name] = _Node(entry)
        elif old is not None and old.children is not None:
            old.entry = entry
        else:
            children[name] = _Node(entry, {})

    def _linked(self, link: Entry, where: str) -> Entry:
        """The file that `link` is another name of, as it is now."""
        children = self._children(link.target) or {}
        target = children.get(link.target.rpartition(b"/")[2])
        if target is None or target.children is not None:
            raise ResolveError(
                f"holds {_shown(link.path)}, a hard link to {_shown(link.target)}, which is no file",
                where=where,
                fix="the layer or archive is damaged: make it anew",
            )
        return target.entry


def _part(entries: Iterable[Entry], where: str) -> tuple[list[Entry], list[bytes]]:
    """What a layer brings, and the names of its whiteouts: these are told by their name, as their type may
    be any. The bookkeeping of AUFS is neither."""
    kept: list[Entry] = []
    whiteouts: list[bytes] = []
    for entry in entries:
        folder, _, name = entry.path.rpartition(b"/")
        if b"/.wh." in b"/" + folder:
            if b"/.wh..wh." not in b"/" + folder:
                raise ResolveError(f"holds {_shown(entry.path)}, which lies below a whiteout", where=where)
        elif not name.startswith(_WHITEOUT):
            kept.append(entry)
        elif name == _OPAQUE or not name.startswith(_AUFS):
            if name[len(_WHITEOUT) :] in (b"", b".", b".."):
                raise ResolveError(f"holds {_shown(entry.path)}, a whiteout of nothing", where=where)
            whiteouts.append(entry.path)
    return kept, whiteouts


def _folders_above(path: bytes) -> Iterator[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def _step(folder: _Node, name: bytes, make: Entry | None) -> _Node | None:
    """The child `name` of `folder`."""
    if folder.children is None:
        return None
    node = folder.children.get(name)
    if node is None and make is not None:
        node = folder.children[name] = _folder(make)
    return node


def _folder(like: Entry) -> _Node:
    """A directory that nothing describes, as old as what it was made for."""
    return _Node(Entry(b"", Kind.DIRECTORY, 0o755, mtime=like.mtime), {})


def _sorted(prefix: bytes, folder: _Node) -> Iterator[tuple[bytes, _Node]]:
    children = folder.children or {}
    return ((prefix + name, children[name]) for name in sorted(children))


def _named(entry: Entry, path: bytes, first: bytes) -> Entry:
    """`entry` under `path`; a link if it is already there under the name `first`."""
    if first == path:
        return entry._replace(path=path)
    return Entry(path, Kind.HARDLINK, entry.mode, entry.uid, entry.gid, entry.mtime, target=first)


def _shown(path: bytes) -> str:
    return "/" + path.decode(errors="replace")
