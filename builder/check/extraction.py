"""What `bsdtar -x -p --xattrs --numeric-owner -f -`, with which WSL extracts as root, does with each member.

A pure model of libarchive's archive_write_disk_posix.c and bsdtar's util.c on ext4, measured with libarchive
3.6.2. Any member that bsdtar complains about makes it exit with 1, and then WSL aborts the import
(microsoft/WSL src/linux/init/main.cpp:ImportFromSocket).
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import NamedTuple

from builder.check.attributes import refuse_acl, refuse_xattr, xattrs_fit
from builder.check.tree import Node, Tree
from builder.model.entry import Kind
from builder.tar.member import Member
from builder.wsl.limits import PATH_COMPONENT

_KEPT = 20
_PATH_MAX = 4096
_SOLARIS_ACL = b"A"
_KNOWN_FLAGS = frozenset(b"\x0001234567SDMNxgXLKV")


class Shape(Enum):
    """What can be odd about a member; the value tells whether bsdtar then exits with 1."""

    DOTDOT = ("the name has a `..` component", True)
    EMPTY_NAME = ("the name is empty", True)
    THROUGH_SYMLINK = ("has to be extracted through a symbolic link", True)
    THROUGH_FILE = ("has to be extracted below something that is no directory", True)
    LINK_THROUGH_SYMLINK = ("is a hard link whose target lies behind a symbolic link", True)
    LINK_MISSING = ("is a hard link whose target has not been extracted", True)
    LINK_REFUSED = ("is a hard link to itself or to a directory", True)
    REPLACES_DIRECTORY = ("would replace a directory that is not empty", True)
    XATTR = ("has an extended attribute that cannot be set", True)
    ACL = ("has an access control list that cannot be set", True)
    TOO_LONG = ("has a name or target that is too long", True)
    NOT_UTF8 = ("has a pax record that is not UTF-8", True)
    NO_TARGET = ("is a symbolic link without target after other links", True)
    SOLARIS_ACL = ("is an access control list of Solaris", True)
    NOT_ASCII = ("has a pax record that is not ASCII", False)
    DIRECTORY_OVER_LINK = ("is a directory that replaces a symbolic link", False)
    DUPLICATE = ("is in the archive more than once", False)
    WHITEOUT = ("is a whiteout of a container layer", False)
    ALTERED_NAME = ("has a name of which bsdtar cuts a drive letter or backslash", False)
    UNKNOWN_FLAG = ("has a type that becomes a regular file", False)
    EMPTY_TARGET = ("is a link without target, which becomes a file or nothing", False)
    NAMED_OWNER = ("names its owner, which WSL 1 maps", False)
    HAS_ACL = ("has an access control list", False)

    @property
    def meaning(self) -> str:
        """What it is, in words that follow a path."""
        return self.value[0]

    @property
    def refused(self) -> bool:
        """Whether the import fails."""
        return self.value[1]


class Oddity(NamedTuple):
    """A member at `path` (raw) has `shape`; `detail` adds what the shape alone does not say."""

    shape: Shape
    path: bytes
    detail: str = ""


class Extraction:
    """Extracts members into a `Tree` in memory. `utf8` is whether bsdtar's locale is a UTF-8 one.

    `oddities` holds the first 20 of each shape, `counts` how many there were.
    """

    def __init__(self, *, utf8: bool = True) -> None:
        self.tree = Tree()
        self.oddities: list[Oddity] = []
        self.counts: Counter[Shape] = Counter()
        self._utf8 = utf8
        self._linked = False

    @property
    def refused(self) -> bool:
        """Whether bsdtar exits with 1."""
        localised = not self._utf8 and self.counts[Shape.NOT_ASCII] > 0
        return localised or any(shape.refused for shape in self.counts)

    def extract(self, member: Member) -> tuple[bytes, Node] | None:
        """The path and node that `member` leaves in the tree; None when it is refused."""
        self._judge_header(member)
        self._linked = self._linked or bool(member.linkname)
        path = self._clean(member.name, member)
        if path is None or not self._may_pass(path, member):
            return None
        kind = member.kind
        if kind is Kind.HARDLINK and member.linkname:
            return self._link(path, member)
        if kind in _LINKS and not member.linkname:
            self._lose_link(member)
            if self._linked:
                return None
            kind = Kind.FILE
        node = _node(member, kind)
        if not self._make_room(path, node.kind, member):
            return None
        if node.kind is Kind.DIRECTORY and (old := self.tree.nodes.get(path)) is not None:
            old.mode, old.uid, old.gid, old.implied = node.mode, node.uid, node.gid, False
            node = old
        self.tree.add(path, node)
        if member.pax or len(member.linkname) >= _PATH_MAX:
            self._judge_attributes(node.kind, member)
        return path, node

    def _lose_link(self, member: Member) -> None:
        """A link without target. libarchive's tar reader takes it for a file until some header has named a
        target; then a symbolic link fails and a hard link is left out."""
        refused = self._linked and member.kind is Kind.SYMLINK
        self._say(Shape.NO_TARGET if refused else Shape.EMPTY_TARGET, member)

    def _say(self, shape: Shape, member: Member, detail: str = "") -> None:
        self.counts[shape] += 1
        if self.counts[shape] <= _KEPT:
            self.oddities.append(Oddity(shape, member.name, detail))

    def _judge_header(self, member: Member) -> None:
        if member.flag == _SOLARIS_ACL:
            self._say(Shape.SOLARIS_ACL, member)
        elif member.flag[0] not in _KNOWN_FLAGS:
            self._say(Shape.UNKNOWN_FLAG, member, f"type {member.flag!r}")
        if member.pax and member.pax.get(b"hdrcharset") != b"BINARY":
            self._judge_text(member)
        if (member.uname or member.gname) and not _is_plain(member):
            self._say(Shape.NAMED_OWNER, member)
        if member.name.rpartition(b"/")[2].startswith(b".wh."):
            self._say(Shape.WHITEOUT, member)

    def _judge_text(self, member: Member) -> None:
        for key in (b"path", b"linkpath", b"uname", b"gname"):
            value = member.pax.get(key, b"")
            if value.isascii():
                continue
            try:
                value.decode("utf-8")
            except UnicodeDecodeError:
                self._say(Shape.NOT_UTF8, member, f"record {key.decode()}")
            else:
                self._say(Shape.NOT_ASCII, member, f"record {key.decode()}")

    def _clean(self, name: bytes, member: Member) -> bytes | None:
        """`name` as bsdtar and libarchive normalise it; None when they refuse it."""
        if not name:
            self._say(Shape.EMPTY_NAME, member)
            return None
        stripped = strip_absolute(name)
        if stripped != name.lstrip(b"/") and not name.startswith((b"/./", b"//./")):
            self._say(Shape.ALTERED_NAME, member)
        parts = [part for part in stripped.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            self._say(Shape.DOTDOT, member)
            return None
        if parts and max(map(len, parts)) > PATH_COMPONENT:
            self._say(Shape.TOO_LONG, member)
            return None
        return b"/".join(parts)

    def _obstacle(self, path: bytes) -> Kind | None:
        """What above `path` is there and no directory."""
        nodes = self.tree.nodes
        parent = path.rpartition(b"/")[0]
        if (above := nodes.get(parent)) is not None:
            return None if above.kind is Kind.DIRECTORY else above.kind
        at = path.find(b"/")
        while at > 0:
            if (node := nodes.get(path[:at])) is None:
                return None
            if node.kind is not Kind.DIRECTORY:
                return node.kind
            at = path.find(b"/", at + 1)
        return None

    def _may_pass(self, path: bytes, member: Member) -> bool:
        obstacle = self._obstacle(path)
        if obstacle is not None:
            self._say(Shape.THROUGH_SYMLINK if obstacle is Kind.SYMLINK else Shape.THROUGH_FILE, member)
        return obstacle is None

    def _link(self, path: bytes, member: Member) -> tuple[bytes, Node] | None:
        target = self._clean(member.linkname, member)
        if target is None:
            return None
        obstacle = self._obstacle(target)
        if obstacle is not None:
            shape = Shape.LINK_THROUGH_SYMLINK if obstacle is Kind.SYMLINK else Shape.LINK_MISSING
            self._say(shape, member, f"target {show(member.linkname)}")
            return None
        node = self.tree.nodes.get(target)
        if (
            node is None
            or member.linkname.endswith(b"/")
            or len(target) >= _PATH_MAX
            or len(path) >= _PATH_MAX
        ):
            self._say(Shape.LINK_MISSING, member, f"target {show(member.linkname)}")
            return None
        if node.kind is Kind.DIRECTORY or target == path:
            self._say(Shape.LINK_REFUSED, member, f"target {show(member.linkname)}")
            return None
        if not self._make_room(path, Kind.HARDLINK, member):
            return None
        self.tree.add(path, node)
        return path, node

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
            self._say(Shape.ACL if refuse_acl(acls, kind) else Shape.HAS_ACL, member)


_LINKS = frozenset((Kind.SYMLINK, Kind.HARDLINK))


def _is_plain(member: Member) -> bool:
    """Whether only root is named, and by its own ids."""
    owners = ((member.uname, member.uid), (member.gname, member.gid))
    return all(name == b"" or (name, number) == (b"root", 0) for name, number in owners)


def _node(member: Member, kind: Kind) -> Node:
    return Node(
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        size=member.size if kind is Kind.FILE else 0,
        target=member.linkname if kind is Kind.SYMLINK else b"",
    )


def strip_absolute(name: bytes) -> bytes:
    """`name` without what bsdtar's strip_absolute_path cuts off its beginning.

    That is `//?/` and `//./`, a drive letter, and slashes and backslashes together with `.` and `..` between
    them.
    """
    if name[:4] in (b"//?/", b"//./"):
        name = name[4:]
    if len(name) > 1 and name[1:2] == b":" and name[:1].isalpha():
        name = name[2:]
    while name[:1] in (b"/", b"\\") and name:
        if name[1:3] == b".." and name[3:4] in (b"/", b"\\") and len(name) > 3:
            name = name[3:]
        elif name[1:2] == b"." and name[2:3] in (b"/", b"\\") and len(name) > 2:
            name = name[2:]
        else:
            name = name[1:]
    return name


def show(path: bytes) -> str:
    """`path` for people: what is not printable as an escape."""
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
