"""Which files of a folder have no extended attributes, remembered for folders whose times are trusted.

To give a file an attribute changes its ctime, so that one which keeps inode and ctime still has none. To ask
for the attributes of every file is a third of listing a tree.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

from builder.core.digests import sha256_bytes
from builder.core.files import write_atomic

_KEY = struct.Struct("<Qq")
_SUFFIX = ".bare"


class BareFiles:
    """What was remembered in `file` when it was opened, and what was seen since."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)
        self._seen: list[bytes] = []

    def knows(self, status: os.stat_result) -> bool:
        """Whether the file with `status` is known to have no extended attributes."""
        key = _KEY.pack(status.st_ino, status.st_ctime_ns)
        if key not in self._known:
            return False
        self._seen.append(key)
        return True

    def add(self, status: os.stat_result) -> None:
        """Remember that the file with `status`, which has not changed of late, has none."""
        self._seen.append(_KEY.pack(status.st_ino, status.st_ctime_ns))

    def save(self) -> None:
        """Keep what was seen, and nothing else, for the next time; a full disk is no reason to fail."""
        if self._known.issuperset(self._seen) and len(self._known) < 2 * len(self._seen):
            return
        with suppress(OSError):
            write_atomic(self._file, b"".join(self._seen))


def bare_files(folder: Path, root: Path) -> BareFiles:
    """What is remembered in `folder` of the tree below `root`. Raises OSError if there is no `root`."""
    place = b"%d:%b" % (file_system(root), os.fsencode(root.absolute()))
    return BareFiles(folder / f"{sha256_bytes(place)}{_SUFFIX}")


def file_system(root: Path | int) -> int:
    """The id of the file system of the folder `root`, which tells it from others that are mounted there at
    other times. Most keep it from boot to boot, unlike the number of the device. Raises OSError."""
    return os.statvfs(root).f_fsid


def _read(file: Path) -> frozenset[bytes]:
    try:
        data = file.read_bytes()
        os.utime(file)
    except OSError:
        return frozenset()
    whole = len(data) - len(data) % _KEY.size
    return frozenset(data[at : at + _KEY.size] for at in range(0, whole, _KEY.size))
