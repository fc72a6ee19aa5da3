"""What sources made of tar archives have in common: facts, time, and that all that is locked is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.model.entry import Entry
from builder.model.lock import ArchitectureLock, DockerfileSource, Facts, ImageSource, UnfoldedTar
from builder.sources.oci.flatten import Tree
from builder.sources.oci.pull import merge_tars
from builder.sources.oci.settings import find_user
from builder.wsl.os_release import read_os_release

_FILES = (b"etc/os-release", b"usr/lib/os-release")


def read_facts(tree: Tree) -> Facts:
    """What the tree says it is (os-release(5)); nothing is known of one that does not say."""
    text = next((data for path in _FILES if (data := tree.read(path)) is not None), b"")
    fields = read_os_release(text.decode("utf-8", "replace").encode("utf-8"))
    return Facts(family=fields.get("ID", ""), os_release=fields)


def newest(entries: Iterable[Entry]) -> int:
    """The time of the newest entry, in seconds since the epoch; 0 if there is none after that."""
    return max((entry.mtime for entry in entries), default=0)


Taken = TypeVar("Taken", ImageSource, DockerfileSource)


def lock_image(image: Taken, created: int, blobs: Blobs) -> ArchitectureLock:
    """The lock of `image`, whose layers are among `blobs`, with what these make. `created` is in seconds
    since the epoch, 0 where the image does not tell. Raises ResolveError."""
    tree = merge_tars(image.layers, blobs, image.reference)
    return ArchitectureLock(
        time=created or newest(tree.entries()),
        facts=read_facts(tree),
        source=image.model_copy(update={"user": find_user(image.config, tree)}),
    )


def check_present(tars: Iterable[UnfoldedTar], blobs: Blobs, where: str) -> None:
    """Raises ResolveError unless all of `tars` are among the blobs."""
    for tar in tars:
        if not blobs.has(tar.sha256, tar.size):
            raise ResolveError(
                f"is not what the lock says: sha256 {tar.sha256} of {tar.size} bytes is not in it",
                where=where,
                fix="make the lock anew with `wslimg lock RECIPE`",
            )
