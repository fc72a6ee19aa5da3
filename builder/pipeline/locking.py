"""`wslimg lock`: resolve a recipe for all its architectures, or say whether its lock still fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.core.errors import UsageError
from builder.core.events import Note, Sink
from builder.core.suggestions import did_you_mean
from builder.model.lock import Lock
from builder.pipeline.drift import report_drift
from builder.pipeline.prepare import BuildOptions, choose_architecture, load, open_supply
from builder.pipeline.resolving import describe_dropped, read_old_lock, refuse_stale, save_lock
from builder.pipeline.stages import Timing, stage
from builder.resolve.difference import describe_difference
from builder.resolve.lockfile import lock_path, merge_lock, read_lock
from builder.resolve.resolve import held_versions, resolve_recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class LockResult:
    """The lock file, and for each architecture that was resolved what changed, a line each; None where the
    lock held nothing that it could be compared with."""

    path: Path
    changes: Mapping[str, list[str] | None]


def lock_recipe(path: Path, options: BuildOptions, sink: Sink, *, names: tuple[str, ...] = ()) -> LockResult:
    """Resolve `path` for one architecture, or for all the recipe names, and write its lock.

    With `names` only these packages take the versions of now: all others stay at those of the lock. Raises
    WslimgError; then the lock is as it was.
    """
    timing = Timing()
    loaded = load(path, sink, timing)
    recipe, file = loaded.recipe, lock_path(path)
    wanted = [choose_architecture(recipe, options.architecture, str(path))] if options.architecture else None
    old = lock = read_lock(file) if names else read_old_lock(file, sink)
    _check_names(old, names, file)
    changes: dict[str, list[str] | None] = {}
    for architecture in wanted or recipe.architectures:
        before = old.architectures.get(architecture) if old is not None else None
        held = held_versions(before, names) if names else {}
        with stage(f"resolve {architecture}", sink, timing):
            supply = open_supply(loaded, options, sink)
            resolved = resolve_recipe(recipe, architecture, supply, places=loaded.places, versions=held)
        report_drift(loaded, architecture, resolved, sink)
        lock = merge_lock(recipe, architecture, resolved, lock)
        changes[architecture] = describe_difference(before, resolved) if before else None
    _save(file, old, lock, sink)
    return LockResult(path=file, changes=changes)


def check_lock(path: Path, architecture: str | None, sink: Sink) -> Path:
    """Raises ResolveError naming all that is stale or missing; returns the lock file if it fits the recipe.

    Asks no mirror. `architecture` None stands for all that the recipe is for.
    """
    loaded = load(path, sink, Timing())
    file = lock_path(path)
    wanted = (
        (choose_architecture(loaded.recipe, architecture, str(path)),)
        if architecture
        else loaded.recipe.architectures
    )
    lock = read_lock(file)
    refuse_stale(loaded, lock, wanted, where=str(file))
    for each in wanted:
        report_drift(loaded, each, lock.architectures[each], sink)
    return file


def _check_names(lock: Lock | None, names: tuple[str, ...], file: Path) -> None:
    locks = lock.architectures.values() if lock is not None else ()
    known = {package.name for each in locks for package in each.packages}
    for name in names:
        if name not in known:
            raise UsageError(f"holds no package {name}{did_you_mean(name, known)}", where=str(file))


def _save(file: Path, old: Lock | None, new: Lock | None, sink: Sink) -> None:
    assert new is not None, "a recipe has at least one architecture"
    if old is not None and (dropped := describe_dropped(old, new)):
        sink(Note(message=f"{file}: {dropped}", level="warning"))
    save_lock(file, new)
