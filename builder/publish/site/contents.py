"""What the pages tell about the inside of an image, from the files that were published beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from builder.core.events import Note, Sink
from builder.model.catalog import ListedImage
from builder.model.manifest import Manifest
from builder.publish.packages import DamagedError, Packages, find_sidecar, read_packages
from builder.publish.target import MissingError, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """`packages` is None where there is no inventory to read; `unpacked` is the size of the root file system
    in bytes, 0 where no manifest says."""

    packages: Packages | None
    unpacked: int


ReadContents = Callable[[ListedImage], Contents]


def read_contents(target: Target, sink: Sink, image: ListedImage) -> Contents:
    """What is in `image`. A sidecar that is gone or damaged is told to `sink` and does without: one old image
    must not keep others from being published. Raises PublishError when `target` cannot be read."""
    return Contents(packages=_read_packages(target, sink, image), unpacked=_read_size(target, image))


def _read_packages(target: Target, sink: Sink, image: ListedImage) -> Packages | None:
    inventory = find_sidecar(image.sidecars, "inventory")
    if inventory is None:
        return None
    try:
        return read_packages(target, inventory, image.architecture)
    except (DamagedError, MissingError) as error:
        sink(Note(message=f"{error.where} {error.message}: the pages show no packages", level="warning"))
        return None


def _read_size(target: Target, image: ListedImage) -> int:
    manifest = find_sidecar(image.sidecars, "manifest")
    if manifest is None:
        return 0
    try:
        return Manifest.model_validate_json(target.get(manifest.path)).image.tar_size
    except (ValidationError, MissingError):
        return 0
