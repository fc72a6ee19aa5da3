"""The image file: written and hashed in a thread of its own, without a name until it is complete."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from builder.core.errors import PackError, UsageError
from builder.core.files import atomic_file, irregular
from builder.pack.compress import Bytes
from builder.pack.lane import Lane

_STRIDE = 8 << 20
"""After so many bytes of an image that replaces another file, the kernel begins to write them to the disk. It
would do so when the name changes hands (Linux fs/ext4/namei.c: ext4_rename), while everybody waits."""

_ELSEWHERE = "choose another folder for the output"
_FIXES = {
    errno.EACCES: f"ask for the right to write there, or {_ELSEWHERE}",
    errno.EPERM: f"ask for the right to write there, or {_ELSEWHERE}",
    errno.EROFS: f"mount it writable, or {_ELSEWHERE}",
    errno.ENOSPC: f"make room, or {_ELSEWHERE}",
    errno.EDQUOT: f"make room, or {_ELSEWHERE}",
    errno.EFBIG: f"raise the limit (ulimit -f), or {_ELSEWHERE}: this one holds no file of that size",
    errno.ENAMETOOLONG: "choose a shorter name for the output",
    errno.ENOTDIR: _ELSEWHERE,
}


class Output:
    """Takes the bytes of the image in order, which is to be called `path`; `size` counts them."""

    def __init__(self, path: Path, file: int, lane: Lane) -> None:
        self.path = path
        self._file = file
        self._lane = lane
        self._sha = hashlib.sha256()
        self._replaces = os.path.lexists(path)
        self._written = self._begun = 0
        self.size = 0

    def add(self, data: Bytes) -> None:
        """Append `data`, which must not change any more. Raises PackError, maybe for an earlier call."""
        self.size += len(data)
        self._lane.add(self._write, data)

    def restart(self) -> None:
        """Forget everything that was added."""
        self.finish()
        with _write_errors(self.path):
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
        self._sha, self.size = hashlib.sha256(), 0
        self._written = self._begun = 0

    def finish(self) -> str:
        """Wait until all is written; returns the SHA-256."""
        self._lane.drain()
        return self._sha.hexdigest()

    def _write(self, data: Bytes) -> None:
        with _write_errors(self.path):
            write_full(self._file, data)
        self._sha.update(data)
        self._written += len(data)
        if self._replaces and self._written - self._begun >= _STRIDE:
            self._begin_writing()

    def _begin_writing(self) -> None:
        # It says that the bytes are not needed again; those that are not written yet stay in memory.
        with suppress(OSError):
            os.posix_fadvise(self._file, self._begun, self._written - self._begun, os.POSIX_FADV_DONTNEED)
        self._begun = self._written


def write_full(file: int, data: Bytes) -> None:
    """Write all of `data`. Raises OSError."""
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.write(file, view[done:])


@contextmanager
def open_output(path: Path) -> Iterator[Output]:
    """A new image that gets the name `path` when the block ends well. Raises PackError if it cannot, and
    UsageError where something is that is no file, such as a device."""
    with ExitStack() as stack:
        with _write_errors(path):
            _require_replaceable(path)
            file = stack.enter_context(atomic_file(path))
        yield Output(path, file.fileno(), stack.enter_context(Lane("write")))
        with _write_errors(path):
            stack.close()


def _require_replaceable(path: Path) -> None:
    if kind := irregular(path):
        raise UsageError(
            f"is {kind}, and an image can only be a file",
            where=str(path),
            fix="choose another name for the output",
        )


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PackError(
            f"the image cannot be written: {error.strerror}",
            where=str(path),
            fix=_FIXES.get(error.errno or 0, f"check the disk, or {_ELSEWHERE}"),
        ) from error
