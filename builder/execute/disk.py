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


def size_on_disk(folder: Path) -> int:
    """The bytes that the blocks of all files below `folder` take."""
    total, stack = 0, [os.fspath(folder)]
    while stack:
        with os.scandir(stack.pop()) as items:
            for item in items:
                total += item.stat(follow_symlinks=False).st_blocks * 512
                if item.is_dir(follow_symlinks=False):
                    stack.append(item.path)
    return total


def check_space(folder: Path, needed: int) -> None:
    """Raise ExecuteError unless the file system of `folder` has `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise _no_space(folder, f"{free / 1e9:.1f} GB are free where {needed / 1e9:.1f} GB are needed")


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Say what to do where the block fills the disk of `folder`: ExecuteError instead of OSError."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        raise _no_space(folder, f"the disk is full: {error}") from error


def _no_space(folder: Path, message: str) -> ExecuteError:
    return ExecuteError(
        message, where=str(folder), fix="free some space: wslimg cache prune, or another XDG_CACHE_HOME"
    )
