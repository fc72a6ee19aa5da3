"""One entry of a root file system, as every stage after EXECUTE sees it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What an entry is; the value is its tar type flag (POSIX.1-1988 ustar)."""

    FILE = b"0"
    HARDLINK = b"1"
    SYMLINK = b"2"
    CHAR = b"3"
    BLOCK = b"4"
    DIRECTORY = b"5"
    FIFO = b"6"

    __hash__ = object.__hash__  # there is one of each: Enum's own, in Python, takes ten times as long


class Identity(NamedTuple):
    """Names content that can never change: that of `path` in what `layer` identifies for good. Of a folder
    that may change, `path` begins with the state that the file was in."""

    layer: str
    path: bytes


class Entry(NamedTuple):
    """A path of the tree. A NamedTuple because a tree has 10^5 of them and creating one must be cheap.

    `path` is relative to the root of the image, without leading or trailing slash, raw bytes; b"" is the
    root itself. `mode` holds the 12 permission bits, `mtime` whole seconds, `size` bytes (0 unless FILE).
    `target` is the literal target of a SYMLINK, or the path of the entry that a HARDLINK names.
    `xattrs` are sorted (name, value) pairs, `device` is (major, minor) of CHAR and BLOCK.
    `open` returns a new file descriptor, owned by the caller and positioned at the first byte of the
    content; exactly `size` bytes belong to the entry, what follows is not its own. Only a FILE with
    `size` > 0 has one. `identity` is None where the content may change under the reader.
    """

    path: bytes
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    target: bytes = b""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)
    open: Callable[[], int] | None = None
    identity: Identity | None = None
