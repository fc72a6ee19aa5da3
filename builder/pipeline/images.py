"""Asks a container engine for the images of sources that need one, whichever engine runs the steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from builder.core.blobs import Blobs
from builder.execute.choose import open_image_engine
from builder.model.images import ImageStore


@contextmanager
def open_images(cache: Path, blobs: Blobs) -> Iterator[ImageStore]:
    """The container engine that answers, until the block ends. Raises ExecuteError where none does."""
    with closing(open_image_engine(cache, blobs)) as engine:
        yield engine
