"""Follows paths through a tree, whatever it is kept in: layers on a disk or entries in memory."""

from __future__ import annotations

import os
from collections import deque
from typing import Protocol, TypeVar

from builder.core.errors import ExecuteError

_MOST_LINKS = 40  # as the kernel allows


class Spot(Protocol):
    """What a path is. `path` is its own one in the image, without links."""

    @property
    def path(self) -> bytes:
        """Relative to the root, which is b""."""

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""

    @property
    def target(self) -> bytes | None:
        """Where it leads, if it is a symbolic link."""

    @property
    def access(self) -> tuple[int, int, int]:
        """Its 12 permission bits, uid and gid."""


S = TypeVar("S", bound=Spot)


class Walkable(Protocol[S]):
    """A tree of spots."""

    @property
    def root(self) -> S:
        """The root directory."""

    def child(self, folder: S, name: bytes) -> S | None:
        """What `folder` holds under `name`."""

    def names(self, folder: S) -> list[bytes]:
        """The sorted names in `folder`."""


def find_spot(tree: Walkable[S], path: bytes, *, follow: bool) -> S | None:
    """What is at `path`; links in its parents are followed, and one at its end if `follow`.

    Raises ExecuteError for a loop of links.
    """
    trail = [tree.root]
    parts = deque(path.split(b"/"))
    links = 0
    while parts:
        part = parts.popleft()
        if part in (b"", b"."):
            continue
        if part == b"..":
            trail = trail[:-1] or [tree.root]
            continue
        spot = tree.child(trail[-1], part) if trail[-1].is_directory else None
        if spot is None:
            return None
        target = spot.target if parts or follow else None
        if target is None:
            trail.append(spot)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise ExecuteError("leads through more than 40 links", where="/" + os.fsdecode(path))
        trail = [tree.root] if target.startswith(b"/") else trail
        parts.extendleft(reversed(target.split(b"/")))
    return trail[-1]
