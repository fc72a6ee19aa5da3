"""Takes what patterns match out of a stack of layers: Remove -> whiteouts of a new top layer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from builder.core.patterns import compile_pattern
from builder.execute.layers.form import make_whiteout
from builder.execute.layers.lay import TopLayer
from builder.execute.layers.view import Node, View, image_path, join

_WILD = re.compile(rb"[*?\[]")


def remove_matches(upper: bytes, below: tuple[bytes, ...], patterns: tuple[str, ...]) -> None:
    """Hide in the layer `upper` what `patterns` match in `below` (the topmost first)."""
    top = TopLayer(upper, below)
    seen = View(below)
    for pattern in patterns:
        for path in sorted(matches(seen, image_path(pattern))):
            _hide(top, path)


def _hide(top: TopLayer, path: bytes) -> None:
    if top.view.find(path, follow=False) is None:
        return  # an earlier pattern took it
    parent = top.view.find(os.path.dirname(path), follow=False)
    assert parent is not None, path
    make_whiteout(join(top.claim(parent), os.path.basename(path)))


def matches(view: View, pattern: bytes) -> Iterator[bytes]:
    """The topmost paths that match. Links are followed in the parents before the first wildcard only."""
    parts = pattern.split(b"/")
    fixed = next((index for index, part in enumerate(parts) if _WILD.search(part)), len(parts) - 1)
    folder = view.find(b"/".join(parts[:fixed]), follow=True)
    if pattern and folder and folder.is_directory:
        yield from _matches_below(view, folder, parts[fixed:])


def _matches_below(view: View, folder: Node, parts: list[bytes]) -> Iterator[bytes]:
    whole = compile_pattern(os.fsdecode(b"/".join(parts)))
    deep = any(b"**" in part for part in parts)
    stack = [(folder, b"")]
    while stack:
        here, below = stack.pop()
        depth = below.count(b"/") + 1 if below else 0
        for name in _candidates(view, here, parts[depth]) if not deep else view.names(here):
            node, path = view.child(here, name), join(below, name)
            if node is None:
                continue
            if whole.fullmatch(os.fsdecode(path)):
                yield node.path
            elif node.is_directory and (deep or depth + 1 < len(parts)):
                stack.append((node, path))


def _candidates(view: View, folder: Node, part: bytes) -> list[bytes]:
    """The names in `folder` that the component `part` matches; one that has no wildcard is just tried."""
    if not _WILD.search(part):
        return [part]
    expression = compile_pattern(os.fsdecode(part))
    return [name for name in view.names(folder) if expression.fullmatch(os.fsdecode(name))]
