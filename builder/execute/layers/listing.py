"""What is in a layer, listed once when it is made: layers never change, so nobody asks the kernel again."""

from __future__ import annotations

import marshal
import os
import stat
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from builder.core.files import write_atomic
from builder.execute.layers.form import content_xattrs, is_opaque

_SECOND = 10**9
_CHECK = 4


class Node(NamedTuple):
    """What a layer has under `name`: fields of stat(2), `mtime` in whole seconds, `inode` 0 unless the file
    has several names. `target` is that of a symbolic link; `xattrs` belong to the image; nothing of lower
    layers shows through an `opaque` directory."""

    name: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    device: int
    inode: int
    target: bytes
    xattrs: tuple[tuple[bytes, bytes], ...]
    opaque: bool

    @property
    def is_whiteout(self) -> bool:
        """Whether it hides what lower layers have under its name."""
        return self.device == 0 and stat.S_ISCHR(self.mode)


Listing = dict[bytes, tuple[Node, ...]]
"""The children of every directory that has any, sorted by name; the root directory is b""."""


class Listed(NamedTuple):
    """A layer: what identifies its content for good, the directory it lies in, and what is there."""

    identity: str
    root: bytes
    listing: Listing


def list_layer(root: bytes) -> tuple[Listing, int]:
    """What the directory `root` holds, without sockets, and how many bytes its blocks take on the disk."""
    listing: Listing = {}
    size, stack = 0, [b""]
    while stack:
        folder = stack.pop()
        nodes = []
        with os.scandir(os.path.join(root, folder)) as items:
            for item in items:
                status = item.stat(follow_symlinks=False)
                size += status.st_blocks * 512
                if stat.S_ISSOCK(status.st_mode):
                    continue
                nodes.append(_describe(item.name, item.path, status))
                if stat.S_ISDIR(status.st_mode):
                    stack.append(os.path.join(folder, item.name))
        if nodes:
            listing[folder] = tuple(sorted(nodes))
    return listing, size


def _describe(name: bytes, path: bytes, status: os.stat_result) -> Node:
    is_folder = stat.S_ISDIR(status.st_mode)
    return Node(
        name=name,
        mode=status.st_mode,
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=status.st_mtime_ns // _SECOND,
        size=status.st_size,
        device=status.st_rdev,
        inode=status.st_ino if status.st_nlink > 1 and not is_folder else 0,
        target=os.readlink(path) if stat.S_ISLNK(status.st_mode) else b"",
        xattrs=content_xattrs(path),
        opaque=is_folder and is_opaque(path),
    )


def save_listing(file: Path, listing: Listing) -> int:
    """Write `listing` to `file`; how many bytes that took."""
    body = marshal.dumps({folder: [tuple(node) for node in nodes] for folder, nodes in listing.items()})
    write_atomic(file, crc32(body).to_bytes(_CHECK, "big") + body)
    return _CHECK + len(body)


def load_listing(file: Path, root: bytes) -> Listing:
    """What `save_listing` wrote for the layer at `root`, which is listed anew if that cannot be read."""
    try:
        data = file.read_bytes()
        if crc32(data[_CHECK:]).to_bytes(_CHECK, "big") == data[:_CHECK]:
            found = marshal.loads(data[_CHECK:])  # noqa: S302 - whoever can write it can write the layer
            return {folder: tuple(map(Node._make, nodes)) for folder, nodes in found.items()}
    except (OSError, ValueError, EOFError, TypeError):
        pass
    return list_layer(root)[0]
