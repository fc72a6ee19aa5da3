"""Directories of the store: locked, removed, measured; and what to say when the disk is full."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from builder.core.errors import ExecuteError
from builder.execute.layers.form import FULL_DISK

# The end of the name of what is half made or half deleted.
PART = ".part"
_FIX = "free some space (`wslimg cache prune`), or move the cache with WSLIMG_CACHE"


def lock_folder(folder: Path, mode: int) -> int | None:
    """A descriptor that locks `folder`; None if it is gone, or somebody has it and `mode` does not wait."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, mode)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not is_at(descriptor, folder):
        os.close(descriptor)
        return None
    return descriptor


def is_at(descriptor: int, path: Path) -> bool:
    """Whether `path` is still what `descriptor` has open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def remove_unused(folder: Path) -> bool:
    """Delete `folder` unless somebody holds it; whether it was deleted."""
    descriptor = lock_folder(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if descriptor is None:
        return False
    remove_tree(folder)
    os.close(descriptor)
    return True


def remove_tree(folder: Path) -> None:
    """Delete `folder` if it is there: first its name, so that nobody finds half of it."""
    doomed = folder
    if not folder.name.endswith(PART):
        doomed = folder.with_name(f".{secrets.token_hex(8)}{PART}")
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return
    with suppress(FileNotFoundError):
        shutil.rmtree(doomed)


def check_space(folder: Path, needed: int, *, fix: str = _FIX) -> None:
    """Raise ExecuteError with `fix` unless the file system of `folder` has `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = f"{format_bytes(free)} are free where about {format_bytes(needed)} are needed"
        raise ExecuteError(message, where=str(folder), fix=fix)


@contextmanager
def full_disk_explained(*folders: Path) -> Iterator[None]:
    """Say what to do where the block fills the disk of one of `folders`: ExecuteError instead of OSError."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        full = min(folders, key=lambda folder: shutil.disk_usage(folder).free)
        raise ExecuteError(f"the disk is full: {error.strerror}", where=str(full), fix=_FIX) from error


def format_bytes(count: int) -> str:
    """In the unit that leaves digits to tell apart."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1000:.1f} kB"
