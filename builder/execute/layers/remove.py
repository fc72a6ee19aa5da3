"""Takes what patterns match out of a stack of layers: Remove -> whiteouts of a new top layer."""

from __future__ import annotations

import os

from builder.execute.layers.form import make_whiteout
from builder.execute.layers.lay import TopLayer
from builder.execute.layers.match import matches
from builder.execute.layers.view import View, image_path, join


def remove_matches(upper: bytes, below: tuple[bytes, ...], patterns: tuple[str, ...]) -> None:
    """Hide in the layer `upper` what `patterns` match in `below` (the topmost first)."""
    top = TopLayer(upper, below)
    seen = View(below)
    for pattern in patterns:
        for path in sorted(matches(seen, image_path(pattern))):
            _hide(top, path)


def _hide(top: TopLayer, path: bytes) -> None:
    if top.find(path, follow=False) is None:
        return  # an earlier pattern took it
    parent = top.find(os.path.dirname(path), follow=False)
    assert parent is not None, path
    make_whiteout(join(top.claim(parent), os.path.basename(path)))
