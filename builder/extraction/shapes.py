"""What can be odd about a member of an archive, and whether bsdtar fails because of it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Shape(Enum):
    """What can be odd about a member: in words, whether bsdtar then exits with 1, the check that tells it."""

    DOTDOT = ("the name has a `..` component", True, "WSL005")
    EMPTY_NAME = ("the name is empty", True, "WSL006")
    THROUGH_SYMLINK = ("has to be extracted through a symbolic link", True, "WSL007")
    THROUGH_FILE = ("has to be extracted below something that is no directory", True, "WSL008")
    LINK_THROUGH_SYMLINK = ("is a hard link whose target lies behind a symbolic link", True, "WSL009")
    LINK_MISSING = ("is a hard link whose target has not been extracted", True, "WSL010")
    LINK_REFUSED = ("is a hard link to itself or to a directory", True, "WSL011")
    REPLACES_DIRECTORY = ("would replace a directory that is not empty", True, "WSL012")
    XATTR = ("has an extended attribute that cannot be set", True, "WSL013")
    ACL = ("has an access control list that cannot be set", True, "WSL014")
    TOO_LONG = ("has a name or target that is too long", True, "WSL015")
    NOT_UTF8 = ("has a pax record that is not UTF-8", True, "WSL016")
    NO_TARGET = ("is a symbolic link without target after other links", True, "WSL036")
    SOLARIS_ACL = ("is an access control list of Solaris", True, "WSL017")
    NOT_ASCII = ("has a pax record that is not ASCII", False, "WSL018")
    DIRECTORY_OVER_LINK = ("is a directory that replaces a symbolic link", False, "WSL019")
    DUPLICATE = ("is in the archive more than once", False, "WSL020")
    WHITEOUT = ("is a whiteout of a container layer", False, "WSL021")
    ALTERED_NAME = ("has a name of which bsdtar cuts a drive letter or backslash", False, "WSL022")
    UNKNOWN_FLAG = ("has a type that becomes a regular file", False, "WSL023")
    EMPTY_TARGET = ("is a link without target, which becomes a file or nothing", False, "WSL024")
    NAMED_OWNER = ("names its owner, which WSL 1 maps", False, "WSL025")
    HAS_ACL = ("has an access control list", False, "WSL026")

    @property
    def meaning(self) -> str:
        """What it is, in words that follow a path."""
        return self.value[0]

    @property
    def refused(self) -> bool:
        """Whether the import fails."""
        return self.value[1]

    @property
    def rule(self) -> str:
        """The id of the check that tells it."""
        return self.value[2]


class Oddity(NamedTuple):
    """A member at `path` (raw) has `shape`; `detail` adds what the shape alone does not say."""

    shape: Shape
    path: bytes
    detail: str = ""
