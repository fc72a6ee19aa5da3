"""A folder for what is measured, on a file system of its own where that can be had."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE = 64 << 30
"""In bytes, of a file with holes: only what is written takes room."""


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """An empty folder, and TMPDIR for everything that is started. All is gone afterwards.

    For root it is a new ext4 with a journal, as computers have it: without one, as in many virtual machines,
    ext4 avoids the inodes of deleted files for some seconds, and whoever runs after a contender that deletes
    a large tree would pay for it.
    """
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        if os.geteuid():
            yield _as_tmpdir(folder)
            return
        image, place = folder / "ext4", folder / "files"
        place.mkdir()
        with image.open("wb") as file:
            file.truncate(_SIZE)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
        try:
            yield _as_tmpdir(place)
        finally:
            subprocess.run(["umount", place], check=True)


def _as_tmpdir(folder: Path) -> Path:
    os.environ["TMPDIR"] = str(folder)
    return folder
