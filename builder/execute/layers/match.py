"""Finds what patterns match in a tree."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TypeVar

from builder.core.patterns import compile_pattern
from builder.execute.layers.view import join
from builder.execute.layers.walk import Spot, Walkable, find_spot

S = TypeVar("S", bound=Spot)
_WILD = re.compile(rb"[*?\[]")


def matches(tree: Walkable[S], pattern: bytes) -> Iterator[bytes]:
    """The topmost paths that match. Links are followed in the parents before the first wildcard only."""
    parts = pattern.split(b"/")
    fixed = next((index for index, part in enumerate(parts) if _WILD.search(part)), len(parts) - 1)
    folder = find_spot(tree, b"/".join(parts[:fixed]), follow=True)
    if pattern and folder and folder.is_directory:
        yield from _matches_below(tree, folder, parts[fixed:])


def _matches_below(tree: Walkable[S], folder: S, parts: list[bytes]) -> Iterator[bytes]:
    whole = compile_pattern(os.fsdecode(b"/".join(parts)))
    deep = any(b"**" in part for part in parts)
    stack = [(folder, b"")]
    while stack:
        here, below = stack.pop()
        depth = below.count(b"/") + 1 if below else 0
        for name in _candidates(tree, here, parts[depth]) if not deep else tree.names(here):
            spot, path = tree.child(here, name), join(below, name)
            if spot is None:
                continue
            if whole.fullmatch(os.fsdecode(path)):
                yield spot.path
            elif spot.is_directory and (deep or depth + 1 < len(parts)):
                stack.append((spot, path))


def _candidates(tree: Walkable[S], folder: S, part: bytes) -> list[bytes]:
    """The names in `folder` that the component `part` matches; one that has no wildcard is just tried."""
    if not _WILD.search(part):
        return [part]
    expression = compile_pattern(os.fsdecode(part))
    return [name for name in tree.names(folder) if expression.fullmatch(os.fsdecode(name))]
