"""Folders and disks of cache and output: tried before they are needed, explained when they are full."""

from __future__ import annotations

from contextlib import AbstractContextManager
from tempfile import TemporaryFile

from builder.core.errors import UsageError
from builder.execute.disk import check_space, full_disk_explained
from builder.pipeline.prepare import BuildOptions, Prepared

# What Debian's packages unfold to (times 3 to 4), beside the downloads and what steps add.
_UNPACKED = 5
_SPARE = 200 * 10**6
_OUTPUT_FIX = "free some space there, or choose another folder with --out"


def make_folders(options: BuildOptions) -> None:
    """Have the folders of cache and output. Raises UsageError where nothing can be written in one."""
    for folder, fix in (
        (options.cache, "set WSLIMG_CACHE to a folder of yours"),
        (options.out, "choose another folder with --out"),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UsageError(f"cannot be written: {error.strerror}", where=str(folder), fix=fix) from None


def require_room_to_execute(prepared: Prepared, options: BuildOptions) -> None:
    """Raise ExecuteError unless the cache has room for the packages of `prepared` and what they unfold to."""
    check_space(options.cache, _UNPACKED * _size_of_packages(prepared) + _SPARE)


def require_room_to_pack(prepared: Prepared, options: BuildOptions) -> None:
    """Raise ExecuteError unless the output has room for the image, which compresses about as packages do."""
    check_space(options.out, _size_of_packages(prepared), fix=_OUTPUT_FIX)


def explain_full_disks(options: BuildOptions) -> AbstractContextManager[None]:
    """Raise ExecuteError, naming the folder to free, where the block fills the disk of cache or output."""
    return full_disk_explained(options.cache, options.out)


def _size_of_packages(prepared: Prepared) -> int:
    return sum(package.size for package in prepared.lock.packages)
