"""Says where a recipe and its base, each with a lock of its own, are locked to different things."""

from __future__ import annotations

from collections.abc import Iterator

from builder.core.errors import ResolveError
from builder.core.events import Note, Sink
from builder.load.recipe import LoadedRecipe
from builder.model.lock import ArchitectureLock
from builder.resolve.difference import describe_difference
from builder.resolve.lockfile import lock_path, read_lock
from builder.resolve.stale import find_stale


def report_drift(loaded: LoadedRecipe, architecture: str, lock: ArchitectureLock, sink: Sink) -> None:
    """A note for each base of `loaded` whose own lock fits it and holds something else than `lock` does."""
    for base in _bases(loaded):
        theirs = _read_fitting(base, architecture)
        ours = _cut(lock, len(base.recipe.steps))
        if theirs is not None and theirs != ours:
            sink(Note(message=_describe(base, loaded, theirs, ours)))


def _bases(loaded: LoadedRecipe) -> Iterator[LoadedRecipe]:
    base = loaded.base
    while base is not None:
        yield base
        base = base.base


def _read_fitting(base: LoadedRecipe, architecture: str) -> ArchitectureLock | None:
    try:
        lock = read_lock(lock_path(base.path))
    except ResolveError:
        return None
    return None if find_stale(lock, base.recipe, (architecture,)) else lock.architectures[architecture]


def _cut(lock: ArchitectureLock, steps: int) -> ArchitectureLock:
    """What `lock` holds for the source and the first `steps` steps."""
    return lock.model_copy(update={"steps": tuple(step for step in lock.steps if step.step < steps)})


def _describe(
    base: LoadedRecipe, loaded: LoadedRecipe, theirs: ArchitectureLock, ours: ArchitectureLock
) -> str:
    count = len(describe_difference(theirs, ours))
    changes = f"{count} changes" if count > 1 else "1 change" if count else "another state of the archive"
    file = lock_path(base.path)
    return (
        f"{loaded.path} is locked to something else than {file} ({changes}), so it does not share the layers "
        f"of that build; `wslimg lock` of both brings them together"
    )
