"""Giants of a few kilobytes: files with holes that take no time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from builder.pack import holes

THRESHOLD = 256 << 10
GRAIN = 64 << 10


@contextmanager
def small_giants(*, threshold: int = THRESHOLD, grain: int = GRAIN) -> Iterator[None]:
    """Search files of `threshold` bytes for holes of `grain` bytes while the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holes, "THRESHOLD", threshold)
        patch.setattr(holes, "GRAIN", grain)
        patch.setattr(holes, "_ZEROS", bytes(grain))
        yield
