"""Removes what was extracted, whatever its depth: neither PATH_MAX nor recursion stop it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(top: Path) -> None:
    """Remove the folder `top` and all below; no link is followed. Raises OSError.

    Each folder hands its subfolders to `top` before it goes: what is removed is never deep.
    """
    descriptor = os.open(top, _FOLDER)
    try:
        numbers = count()
        while names := os.listdir(descriptor):
            for name in names:
                _remove(name, descriptor, numbers)
    finally:
        os.close(descriptor)
    os.rmdir(top)


def _remove(name: str, top: int, numbers: Iterator[int]) -> None:
    try:
        os.unlink(name, dir_fd=top)
    except IsADirectoryError:
        _empty(name, top, numbers)
        os.rmdir(name, dir_fd=top)


def _empty(name: str, top: int, numbers: Iterator[int]) -> None:
    folder = os.open(name, _FOLDER, dir_fd=top)
    try:
        for child in os.listdir(folder):
            try:
                os.unlink(child, dir_fd=folder)
            except IsADirectoryError:
                os.rename(child, _free_name(top, numbers), src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)


def _free_name(top: int, numbers: Iterator[int]) -> str:
    return next(name for number in numbers if not _exists(name := f"removed-{number}", top))


def _exists(name: str, top: int) -> bool:
    try:
        os.lstat(name, dir_fd=top)
    except FileNotFoundError:
        return False
    return True
