"""What a command changed in a plain directory, as a layer: for where there is no overlayfs to note it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath

from builder.execute.layers.form import copy_metadata, make_whiteout
from builder.execute.layers.view import join

Snapshot = dict[bytes, tuple[int, int]]
# What a container covers with file systems of its own never gets into an image.
_COVERED = (b"dev", b"proc", b"run", b"sys", b"tmp")
_SHOWN = (b"etc/hosts", b"etc/resolv.conf")


def take_snapshot(tree: bytes) -> Snapshot:
    """Inode and time of the last change, in ns, of everything below `tree`: no command can set either."""
    return {path: (status.st_ino, status.st_ctime_ns) for path, status in _walk(tree, b"")}


def move_changes(tree: bytes, before: Snapshot, upper: bytes, mounted: tuple[str, ...]) -> None:
    """Move what changed in `tree` since `before` into the layer `upper`, and note there what is gone.

    What was shown to the command at the absolute paths `mounted`, and in the folders that a container covers,
    stays behind.
    """
    hidden = {os.fsencode(PurePosixPath(path).relative_to("/")) for path in mounted}
    found = {path: status for path, status in _walk(tree, b"") if not _is_hidden(path, hidden)}
    folders = {b"": os.lstat(tree)}
    folders |= {path: status for path, status in found.items() if stat.S_ISDIR(status.st_mode)}
    claimed: dict[bytes, None] = {b"": None}
    for path, status in found.items():
        if before.get(path) == (status.st_ino, status.st_ctime_ns):
            continue
        if path in folders:
            _claim(path, upper, claimed)
        else:
            _claim(os.path.dirname(path), upper, claimed)
            os.rename(join(tree, path), join(upper, path))
    for path in before:
        parent = os.path.dirname(path)
        if path not in found and parent in folders and not _is_hidden(path, hidden):
            _claim(parent, upper, claimed)
            make_whiteout(join(upper, path))
    for path in reversed(claimed):
        copy_metadata(join(tree, path), folders[path], join(upper, path))


def _walk(tree: bytes, below: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    with os.scandir(join(tree, below)) as items:
        children = sorted((item.name, item.stat(follow_symlinks=False)) for item in items)
    for name, status in children:
        path = join(below, name)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(tree, path)


def _is_hidden(path: bytes, mounted: set[bytes]) -> bool:
    if path.partition(b"/")[0] in _COVERED or path in _SHOWN:
        return True
    return any(path == each or path.startswith(each + b"/") for each in mounted)


def _claim(path: bytes, upper: bytes, claimed: dict[bytes, None]) -> None:
    """Have the directory `path` in `upper`; its metadata follow when all is in it."""
    if path not in claimed:
        _claim(os.path.dirname(path), upper, claimed)
        os.mkdir(join(upper, path))
        claimed[path] = None
