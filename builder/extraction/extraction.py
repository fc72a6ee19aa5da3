"""What `bsdtar -x -p --xattrs --numeric-owner -f -`, with which WSL extracts as root, does with each member.

A pure model of libarchive's archive_write_disk_posix.c and bsdtar's util.c on ext4, measured with libarchive
3.6.2. Any member that bsdtar complains about makes it exit with 1, and then WSL aborts the import
(microsoft/WSL src/linux/init/main.cpp:ImportFromSocket).
"""

from __future__ import annotations

from collections import Counter

from builder.extraction.acl import ACCESS, apply_acl, parse_acl, refuse_acl
from builder.extraction.attributes import refuse_xattr, xattrs_fit
from builder.extraction.headers import judge_header
from builder.extraction.names import is_altered, show, split_name
from builder.extraction.shapes import Oddity, Shape
from builder.extraction.tree import Node, Tree
from builder.model.entry import Kind
from builder.tar.member import Member
from builder.wsl.limits import PATH_COMPONENT

_KEPT = 20
_PATH_MAX = 4096
DEEPEST = 8192
"""The longest name that is taken, in bytes. bsdtar takes longer ones, which nothing can open by their path,
but every folder on the way costs memory and time."""
_LINKS = frozenset((Kind.SYMLINK, Kind.HARDLINK))
_NO_OWNER = 0xFFFFFFFF


class Extraction:
    """Extracts members into a `Tree` in memory.

    `utf8` is whether bsdtar's locale is a UTF-8 one, `acls` whether it sets access control lists. `oddities`
    holds the first 20 of each shape, `counts` how many there were.
    """

    def __init__(self, *, utf8: bool = True, acls: bool = True) -> None:
        self.tree = Tree()
        self.oddities: list[Oddity] = []
        self.counts: Counter[Shape] = Counter()
        self._utf8 = utf8
        self.acls = acls
        self._linked = False

    @property
    def refused(self) -> bool:
        """Whether bsdtar exits with 1."""
        return any(map(self.refuses, self.counts))

    def refuses(self, shape: Shape) -> bool:
        """Whether bsdtar exits with 1 because of `shape`."""
        return shape.refused or (shape is Shape.NOT_ASCII and not self._utf8)

    def extract(self, member: Member) -> tuple[bytes, Node] | None:
        """The path and node that `member` leaves in the tree; None when it is refused."""
        for shape, detail in judge_header(member):
            self._say(shape, member, detail)
        self._linked = self._linked or bool(member.linkname)
        path = self._clean(member.name, member)
        if path is None or not self._may_pass(path, member):
            return None
        if is_hard_link(member):
            return self._link(path, member)
        if member.kind in _LINKS and not member.linkname:
            return self._lose_link(path, member)
        return self._add(path, make_node(member, member.kind), member)

    def _add(self, path: bytes, node: Node, member: Member) -> tuple[bytes, Node] | None:
        if not self._make_room(path, node.kind, member):
            return None
        if node.kind is Kind.DIRECTORY and (old := self.tree.nodes.get(path)) is not None:
            old.take_metadata(node)
            node = old
        self.tree.add(path, node)
        if member.pax or len(member.linkname) >= _PATH_MAX:
            self._judge_attributes(node.kind, member)
        return path, node

    def _lose_link(self, path: bytes, member: Member) -> tuple[bytes, Node] | None:
        """A link without target. libarchive's tar reader takes it for a file until some header has named a
        target; then a symbolic link fails and a hard link is left out."""
        refused = self._linked and member.kind is Kind.SYMLINK
        self._say(Shape.NO_TARGET if refused else Shape.EMPTY_TARGET, member)
        return None if self._linked else self._add(path, make_node(member, Kind.FILE), member)

    def _say(self, shape: Shape, member: Member, detail: str = "") -> None:
        self.counts[shape] += 1
        if self.counts[shape] <= _KEPT:
            self.oddities.append(Oddity(shape, member.name, detail))

    def _clean(self, name: bytes, member: Member) -> bytes | None:
        """`name` as bsdtar and libarchive normalise it; None when they refuse it."""
        if not name:
            self._say(Shape.EMPTY_NAME, member)
            return None
        if is_altered(name):
            self._say(Shape.ALTERED_NAME, member)
        parts = split_name(name)
        if b".." in parts:
            self._say(Shape.DOTDOT, member)
            return None
        if (parts and max(map(len, parts)) > PATH_COMPONENT) or len(name) > DEEPEST:
            self._say(Shape.TOO_LONG, member)
            return None
        return b"/".join(parts)

    def _may_pass(self, path: bytes, member: Member) -> bool:
        obstacle = self.tree.obstacle(path)
        if obstacle is not None:
            self._say(Shape.THROUGH_SYMLINK if obstacle is Kind.SYMLINK else Shape.THROUGH_FILE, member)
        return obstacle is None

    def _link(self, path: bytes, member: Member) -> tuple[bytes, Node] | None:
        target = self._clean(member.linkname, member)
        if target is None:
            return None
        if (shape := self._refuse_link(path, target, member.linkname)) is not None:
            self._say(shape, member, f"target {show(member.linkname)}")
            return None
        if not self._make_room(path, Kind.HARDLINK, member):
            return None
        node = self.tree.nodes[target]
        if member.size and node.kind is Kind.FILE:
            node.take_metadata(make_node(member, Kind.FILE))
        self.tree.add(path, node)
        return path, node

    def _refuse_link(self, path: bytes, target: bytes, name: bytes) -> Shape | None:
        """Why `path` cannot be a hard link to `target`, which the archive calls `name`."""
        if (obstacle := self.tree.obstacle(target)) is not None:
            return Shape.LINK_THROUGH_SYMLINK if obstacle is Kind.SYMLINK else Shape.LINK_MISSING
        node = self.tree.nodes.get(target)
        if node is None or name.endswith(b"/") or max(len(target), len(path)) >= _PATH_MAX:
            return Shape.LINK_MISSING
        return Shape.LINK_REFUSED if node.kind is Kind.DIRECTORY or target == path else None

    def _make_room(self, path: bytes, kind: Kind, member: Member) -> bool:
        """Take away what is in the way at `path`; False when bsdtar cannot."""
        old = self.tree.nodes.get(path)
        if old is None:
            return True
        if not path:
            return kind is Kind.DIRECTORY or self._refuse_replacing(member)
        if old.kind is Kind.DIRECTORY:
            if kind is Kind.DIRECTORY:
                if not old.implied:
                    self._say(Shape.DUPLICATE, member)
                return True
            if self.tree.children.get(path, 0):
                return self._refuse_replacing(member)
        over_link = kind is Kind.DIRECTORY and old.kind is Kind.SYMLINK
        detail = f"the link went to {show(old.target)}" if over_link else ""
        self._say(Shape.DIRECTORY_OVER_LINK if over_link else Shape.DUPLICATE, member, detail)
        self.tree.remove(path)
        return True

    def _refuse_replacing(self, member: Member) -> bool:
        self._say(Shape.REPLACES_DIRECTORY, member)
        return False

    def _judge_attributes(self, kind: Kind, member: Member) -> None:
        if kind is Kind.SYMLINK and len(member.linkname) >= _PATH_MAX:
            self._say(Shape.TOO_LONG, member)
        if not member.pax:
            return
        refused = [name for name, value in member.xattrs if refuse_xattr(name, value, kind)]
        if refused or not xattrs_fit(member.xattrs):
            names = ", ".join(show(name) for name in refused) or "together they exceed one block of 4 KiB"
            self._say(Shape.XATTR, member, names)
        if acls := {key: text for key, text in member.pax.items() if key.startswith(b"SCHILY.acl.")}:
            self._say(Shape.ACL if self.acls and refuse_acl(acls, kind) else Shape.HAS_ACL, member)


def is_hard_link(member: Member) -> bool:
    """Whether `member` becomes another name of what has been extracted."""
    return member.kind is Kind.HARDLINK and bool(member.linkname)


def make_node(member: Member, kind: Kind) -> Node:
    """The inode that `member` becomes as a `kind`."""
    return Node(
        kind=kind,
        mode=_mode(member, kind),
        uid=_owner(member.uid),
        gid=_owner(member.gid),
        size=member.size if kind is Kind.FILE else 0,
        target=member.linkname if kind is Kind.SYMLINK else b"",
    )


def _mode(member: Member, kind: Kind) -> int:
    mode = member.mode & 0o7777
    if kind is Kind.SYMLINK or ACCESS not in member.pax:
        return mode
    return apply_acl(mode, parse_acl(member.pax[ACCESS]))


def _owner(number: int) -> int:
    """What chown(2) makes of `number`, which libarchive casts to 32 bits; all ones leave it to root."""
    cut = number & _NO_OWNER
    return 0 if cut == _NO_OWNER else cut
