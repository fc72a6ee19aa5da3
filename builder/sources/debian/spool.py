"""A folder for what packages unfold to, gone with its user even if that is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = ".unpack-"
_GRACE = 60


@contextmanager
def spool_folder(parent: Path) -> Iterator[Path]:
    """A new folder below `parent`, removed when the block ends.

    Its user holds a lock on it; folders whose users died without removing them are removed here.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_PREFIX}*"):
        _remove_abandoned(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as name, _opened(Path(name)) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield Path(name)


def _remove_abandoned(folder: Path) -> None:
    try:
        # Younger ones may be about to be locked.
        if time.time() - folder.stat().st_mtime > _GRACE:
            with _opened(folder) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
    except (FileNotFoundError, BlockingIOError):
        return


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
