"""Files written beside and renamed, so that nobody ever reads half of one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Open a new file that appears as `path` when the block ends well and never otherwise.

    The half-written file is hidden beside `path` (`.NAME.XXXX.part`), so that a killed process
    leaves something a cleaner recognises. `mode` is exact: the umask has no say. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        with part.open("xb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by a file that holds `data`."""
    with atomic_file(path, mode=mode) as file:
        file.write(data)
