"""Folders of a tree that is being written, reached without ever following a link."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST = 256
"""How many descriptors are kept open."""


class Folders:
    """Descriptors of folders below `top`, by path relative to it; made where they are missing.

    Each is opened in its parent with O_NOFOLLOW, so that none lies outside `top` (openat(2)).
    """

    def __init__(self, top: Path) -> None:
        self._top = os.open(top, _FLAGS)
        self._open: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_all()
        os.close(self._top)

    def open(self, path: bytes) -> int:
        """The descriptor of `path`, which remains ours and is valid until the next call.

        Raises OSError, also where a link is on the way.
        """
        missing = []
        while path and path not in self._open:
            missing.append(path)
            path = path.rpartition(b"/")[0]
        descriptor = self._open[path] if path else self._top
        for folder in reversed(missing):
            descriptor = open_folder(descriptor, folder.rpartition(b"/")[2])
            self._keep(folder, descriptor)
        return descriptor

    def _keep(self, path: bytes, descriptor: int) -> None:
        if len(self._open) >= _MOST:
            self._close_all()
        self._open[path] = descriptor

    def forget(self, path: bytes) -> None:
        """Something else is about to take the place of the empty folder at `path`."""
        if (descriptor := self._open.pop(path, None)) is not None:
            os.close(descriptor)

    def _close_all(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


def open_folder(parent: int, name: bytes) -> int:
    """The folder `name` in `parent`; made as our own with mode 0755 where nothing is."""
    with suppress(FileNotFoundError):
        return os.open(name, _FLAGS, dir_fd=parent)
    os.mkdir(name, 0o700, dir_fd=parent)
    descriptor = os.open(name, _FLAGS, dir_fd=parent)
    try:
        os.fchown(descriptor, os.geteuid(), os.getegid())  # one that sets the group gave its own
        os.fchmod(descriptor, 0o755)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
