"""`wslimg fetch`: everything a build downloads, in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builder.core.errors import ResolveError, UsageError
from builder.core.events import Note, Sink
from builder.load.recipe import LoadedRecipe
from builder.model.lock import ArchitectureLock, Lock
from builder.pipeline.prepare import (
    BuildOptions,
    choose_architecture,
    file_stem,
    find_lock,
    load,
    make_plan,
    open_supply,
)
from builder.pipeline.resolving import follow_fitting_lock
from builder.pipeline.stages import Timing, stage
from builder.pipeline.surround import uses_network
from builder.resolve.bundle import write_bundle
from builder.resolve.stale import digest_inputs
from builder.sources.source import Supply
from builder.sources.table import kind_of


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchResult:
    """The bundle, its `size` in bytes, and how many packages it has for which architecture."""

    path: Path
    size: int
    packages: int
    architecture: str


def fetch_bundle(path: Path, out: Path | None, options: BuildOptions, sink: Sink) -> FetchResult:
    """Gather what a build of the recipe `path` downloads into the bundle `out`.

    A lock that fits is followed; without one the recipe is resolved first. Raises WslimgError; then there is
    no bundle.
    """
    timing = Timing()
    loaded = load(path, sink, timing)
    architecture = choose_architecture(loaded.recipe, options.architecture, str(path))
    supply = open_supply(loaded, options, sink)
    target = out or Path(f"{file_stem(loaded.recipe, architecture)}.bundle")
    with stage("resolve", sink, timing) as running:
        locked = _find_lock(loaded, architecture, options, supply)
        running.detail = f"{len(locked.packages)} packages"
    with stage("fetch", sink, timing):
        kind_of(loaded.recipe.source.model).fetch(loaded.recipe.source.model, locked, supply)
        size = _write(target, loaded, architecture, locked, supply)
    _warn_of_network(loaded, architecture, locked, sink)
    return FetchResult(path=target, size=size, packages=len(locked.packages), architecture=architecture)


def _find_lock(
    loaded: LoadedRecipe, architecture: str, options: BuildOptions, supply: Supply
) -> ArchitectureLock:
    if not options.locked and (fitting := follow_fitting_lock(loaded, architecture, supply.sink)):
        return fitting
    return find_lock(loaded, architecture, options, supply, keep=True)


def _write(
    target: Path, loaded: LoadedRecipe, architecture: str, locked: ArchitectureLock, supply: Supply
) -> int:
    if target.is_dir():
        raise UsageError("is a folder", where=str(target), fix="name the file of the bundle with -o")
    lock = Lock(inputs=digest_inputs(loaded.recipe), architectures={architecture: locked})
    try:
        return write_bundle(target, lock, supply.blobs, supply.sink)
    except OSError as error:
        raise ResolveError(
            f"the bundle cannot be written: {error.strerror}",
            where=str(target),
            fix="choose another place with -o",
        ) from error


def _warn_of_network(loaded: LoadedRecipe, architecture: str, locked: ArchitectureLock, sink: Sink) -> None:
    for planned in make_plan(loaded, locked, architecture).operations:
        if uses_network(planned.operation):
            message = f"{planned.place}: {planned.title}: uses the network, which no bundle can carry"
            sink(Note(message=message, level="warning"))
