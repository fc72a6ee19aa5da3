"""Room on the disks of cache and output: asked for before it is needed, explained when it is missing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from builder.execute.disk import check_space, full_disk_explained
from builder.pipeline.prepare import BuildOptions, Prepared

# What Debian's packages unfold to (times 3 to 4), beside the downloads and what steps add.
_UNPACKED = 5
_SPARE = 200 * 10**6
_OUTPUT_FIX = "free some space there, or choose another folder with --out"


def require_room_to_execute(prepared: Prepared, options: BuildOptions) -> None:
    """Raise ExecuteError unless the cache has room for the packages of `prepared` and what they unfold to."""
    check_space(options.cache, _UNPACKED * _size_of_packages(prepared) + _SPARE)


def require_room_to_pack(prepared: Prepared, options: BuildOptions) -> None:
    """Raise ExecuteError unless the output has room for the image, which compresses about as packages do."""
    check_space(_existing(options.out), _size_of_packages(prepared), fix=_OUTPUT_FIX)


def explain_full_disks(options: BuildOptions) -> AbstractContextManager[None]:
    """Raise ExecuteError, naming the folder to free, where the block fills the disk of cache or output."""
    return full_disk_explained(options.cache, _existing(options.out))


def _size_of_packages(prepared: Prepared) -> int:
    return sum(package.size for package in prepared.lock.packages)


def _existing(folder: Path) -> Path:
    """`folder`, or the parent that it is going to be made in."""
    while not folder.exists():
        folder = folder.parent
    return folder
