"""A new file system, so that no contender pays for what another one left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 16 << 30
"""Room in bytes; what is not written takes none."""


@contextmanager
def new_disk(folder: Path) -> Iterator[Path]:
    """An empty ext4 with a journal, mounted below `folder`. Needs root and loop devices.

    Without a journal, as many virtual machines have it, an ext4 avoids the inodes of files that were deleted
    in the last minutes (Linux fs/ext4/ialloc.c: recently_deleted), and to look for others takes as long as
    to unpack a Debian.
    """
    file, disk = folder / "disk.img", folder / "disk"
    file.touch()
    os.truncate(file, SIZE)
    disk.mkdir()
    # All is written now, not by a thread of the kernel while somebody is measured.
    now = "lazy_itable_init=0,lazy_journal_init=0"
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", now, file], check=True)
    subprocess.run(["mount", "-o", "loop", file, disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)
