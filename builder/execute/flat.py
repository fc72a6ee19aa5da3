"""A step without overlayfs: on a plain copy of the tree, from which the changes are taken."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from builder.execute.layers.difference import move_changes, take_snapshot
from builder.execute.layers.form import copy_metadata
from builder.execute.layers.listing import Listed, list_layer
from builder.execute.layers.merge import merge_layers
from builder.execute.layers.unpack import unpack_entries
from builder.execute.layers.view import join
from builder.execute.store import Draft
from builder.sandbox.rootfs import MOUNT_POINTS
from builder.sandbox.spec import ContainerSpec, Mount, Root


@contextmanager
def flattened(spec: ContainerSpec, draft: Draft) -> Iterator[ContainerSpec]:
    """`spec` for chroot(2) on a copy of what its overlay would show; what changes there is in `draft` when
    the block ends."""
    folder = draft.work / "tree"
    folder.mkdir()
    tree, upper = os.fsencode(folder), os.fsencode(draft.diff)
    layers = tuple(os.fsencode(path) for path in reversed(spec.root.lower))
    unpack_entries(
        tree, merge_layers(tuple(Listed(os.fsdecode(path), path, list_layer(path)[0]) for path in layers))
    )
    copy_metadata(upper, os.lstat(upper), tree)
    _make_missing(tree, spec.mounts)
    before = take_snapshot(tree)
    yield replace(spec, root=Root(directory=str(folder)), isolation="chroot")
    move_changes(tree, before, upper, tuple(mount.target for mount in spec.mounts))


def _make_missing(tree: bytes, mounts: tuple[Mount, ...]) -> None:
    """What something will be shown at: made before the command runs, it is no change of the command's."""
    folders = [os.fsencode(name) for name in MOUNT_POINTS]
    folders += [os.fsencode(mount.target[1:]) for mount in mounts if _is_folder(mount)]
    for folder in folders:
        _make_folder(tree, folder)
    for name in (b"etc/hosts", b"etc/resolv.conf"):
        path = join(tree, name)
        if stat.S_ISDIR(os.lstat(join(tree, b"etc")).st_mode) and not os.path.lexists(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def _is_folder(mount: Mount) -> bool:
    return mount.kind == "tmpfs" or (mount.kind == "bind" and os.path.isdir(mount.source))


def _make_folder(tree: bytes, folder: bytes) -> None:
    """Stops at a link, which may lead out of the tree: the container makes what is behind it."""
    path = tree
    for part in folder.split(b"/"):
        path = join(path, part)
        with suppress(FileExistsError):
            os.mkdir(path, 0o755)
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            return
