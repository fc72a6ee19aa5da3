"""`wslimg lock`: resolve a recipe for all its architectures, or say whether its lock still fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builder.core.errors import ResolveError
from builder.core.events import Sink
from builder.model.lock import Lock
from builder.pipeline.prepare import (
    BuildOptions,
    choose_architecture,
    load,
    open_supply,
    read_old_lock,
    save_lock,
)
from builder.pipeline.stages import Timing, stage
from builder.resolve.difference import describe_difference
from builder.resolve.lockfile import lock_path, read_lock
from builder.resolve.resolve import find_stale, merge_lock, resolve_recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class LockResult:
    """The lock file, and the changed packages of each architecture, a line each."""

    path: Path
    changes: dict[str, list[str]]


def lock_recipe(path: Path, options: BuildOptions, sink: Sink) -> LockResult:
    """Resolve `path` for one architecture, or for all the recipe names, and write its lock."""
    timing = Timing()
    loaded = load(path, sink, timing)
    recipe, file = loaded.recipe, lock_path(path)
    wanted = [choose_architecture(recipe, options.architecture, str(path))] if options.architecture else None
    old = lock = read_old_lock(file)
    for architecture in wanted or recipe.architectures:
        with stage(f"resolve {architecture}", sink, timing):
            resolved = resolve_recipe(recipe, architecture, open_supply(options, sink))
        lock = merge_lock(recipe, architecture, resolved, lock)
    assert lock is not None
    save_lock(file, lock)
    return LockResult(path=file, changes=_compare(old, lock))


def check_lock(path: Path, sink: Sink) -> Path:
    """Raises ResolveError naming what is stale; returns the lock file when it fits the recipe."""
    loaded = load(path, sink, Timing())
    file = lock_path(path)
    lock = read_lock(file)
    stale = find_stale(lock, loaded.recipe)
    missing = [each for each in loaded.recipe.architectures if each not in lock.architectures]
    problems = [f"the lock is stale: {stale}"] if stale else []
    problems += [f"the lock holds no {architecture}" for architecture in missing]
    if problems:
        fix = f"make it anew with `wslimg lock {path}`"
        raise ResolveError("; ".join(problems), where=str(file), fix=fix)
    return file


def _compare(old: Lock | None, new: Lock) -> dict[str, list[str]]:
    before = old.architectures if old is not None else {}
    return {
        architecture: describe_difference(before.get(architecture), lock)
        for architecture, lock in sorted(new.architectures.items())
    }
