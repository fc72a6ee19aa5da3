"""Copies a file of the host into a build, if it still is what the plan says."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from builder.core.errors import ExecuteError

_CHUNK = 1 << 20
_FIX = "do not change files while they are built in; build again"


def copy_unchanged(source: Path, digest: str, target: BinaryIO) -> None:
    """Append the content of `source` to `target`. Raises ExecuteError unless its SHA-256 is `digest`: what
    was made of another content must not be kept under the key of this one."""
    sha = hashlib.sha256()
    try:
        with source.open("rb") as file:
            while data := file.read(_CHUNK):
                sha.update(data)
                target.write(data)
    except FileNotFoundError:
        raise ExecuteError("is gone since the build was planned", where=str(source), fix=_FIX) from None
    except PermissionError:
        raise ExecuteError("cannot be read any more", where=str(source), fix=_FIX) from None
    if sha.hexdigest() != digest:
        raise ExecuteError("has changed since the build was planned", where=str(source), fix=_FIX)
