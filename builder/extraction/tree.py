"""The tree that extracting an archive leaves, and how paths are looked up in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from builder.model.entry import Kind

MAX_LINKS = 40
"""How many symbolic links the kernel follows for one path (path_resolution(7))."""


class Nature(Enum):
    """What the first bytes of a file tell about it."""

    OTHER = "other"
    ELF = "elf"
    SCRIPT = "script"
    CRLF_SCRIPT = "script whose first line ends in CR LF"
    PRIVATE_KEY = "private key"


@dataclass(slots=True, eq=False)
class Node:
    """One inode: hard links share it. `machine` is ELF's (class, e_machine); `content` only where kept."""

    kind: Kind
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    size: int = 0
    target: bytes = b""
    nature: Nature = Nature.OTHER
    machine: tuple[int, int] | None = None
    content: bytes | None = None
    implied: bool = False

    def take_metadata(self, other: Node) -> None:
        """Become like `other`, a member of the archive, in all but kind and what is known of the content."""
        self.mode, self.uid, self.gid, self.size = other.mode, other.uid, other.gid, other.size
        self.implied = False


@dataclass(slots=True)
class Tree:
    """Nodes by path without leading or trailing slash; b"" is the root."""

    nodes: dict[bytes, Node] = field(default_factory=lambda: {b"": Node(kind=Kind.DIRECTORY, implied=True)})
    children: dict[bytes, int] = field(default_factory=dict)

    def add(self, path: bytes, node: Node) -> None:
        """Put `node` at `path`, where nothing or something of another inode was; parents are made."""
        if path not in self.nodes and path:
            parent = path.rpartition(b"/")[0]
            if parent not in self.nodes:
                self.make_parents(parent)
            self.children[parent] = self.children.get(parent, 0) + 1
        self.nodes[path] = node

    def make_parents(self, path: bytes) -> None:
        """Make `path` and what is above it as directories, where nothing is."""
        missing = []
        while path not in self.nodes:
            missing.append(path)
            path = path.rpartition(b"/")[0]
        for folder in reversed(missing):
            self.add(folder, Node(kind=Kind.DIRECTORY, implied=True))

    def remove(self, path: bytes) -> None:
        """Remove what is at `path`, which has nothing below it."""
        if self.nodes.pop(path, None) is not None:
            self.children[path.rpartition(b"/")[0]] -= 1

    def obstacle(self, path: bytes) -> Kind | None:
        """What above `path` is there and no directory."""
        parent = path.rpartition(b"/")[0]
        if (above := self.nodes.get(parent)) is not None:
            return None if above.kind is Kind.DIRECTORY else above.kind
        at = path.find(b"/")
        while at > 0:
            if (node := self.nodes.get(path[:at])) is None:
                return None
            if node.kind is not Kind.DIRECTORY:
                return node.kind
            at = path.find(b"/", at + 1)
        return None

    def resolve(self, path: bytes, *, follow: bool = True) -> bytes | None:
        """The path that is free of links and names the same thing, or None. Links are followed as in a
        chroot of the tree; the last component only if `follow`."""
        todo = [part for part in reversed(path.split(b"/")) if part]
        done: list[bytes] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == b".":
                continue
            if part == b"..":
                done = done[:-1]
                continue
            here = b"/".join((*done, part))
            node = self.nodes.get(here)
            if node is None:
                return None
            if node.kind is not Kind.SYMLINK or (not todo and not follow):
                done.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                return None
            done = [] if node.target.startswith(b"/") else done
            todo += [piece for piece in reversed(node.target.split(b"/")) if piece]
        return b"/".join(done)

    def find(self, path: str | bytes, *, follow: bool = True) -> Node | None:
        """The node at `path` (absolute or relative to the root), or None."""
        raw = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
        real = self.resolve(raw, follow=follow)
        return None if real is None else self.nodes[real]

    def loops(self, path: bytes) -> bool:
        """Whether following the link at `path` never ends, as against leading nowhere."""
        seen: set[bytes] = set()
        here: bytes | None = path
        while here is not None and here not in seen:
            seen.add(here)
            node = self.nodes.get(here)
            if node is None or node.kind is not Kind.SYMLINK:
                return False
            folder = here.rpartition(b"/")[0]
            parent = b"" if node.target.startswith(b"/") else folder
            head, _, last = node.target.strip(b"/").rpartition(b"/")
            real = self.resolve(parent + b"/" + head)
            here = None if real is None or last in (b"", b".", b"..") else (real + b"/" + last).lstrip(b"/")
        return here is not None
