"""The stage RESOLVE: follow a lock exactly, or find out what is so now and say what changed."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from builder.core.errors import ResolveError
from builder.core.events import Note, Sink
from builder.load.document import parse_document
from builder.load.recipe import LoadedRecipe
from builder.model.lock import ArchitectureLock, Lock
from builder.recipe import Architecture
from builder.resolve.difference import describe_difference, shorten_difference
from builder.resolve.lockfile import MissingLockError, lock_path, merge_lock, read_lock, write_lock
from builder.resolve.stale import SOURCE, Stale, find_stale, step_part
from builder.sources.table import kind_of

_ANEW = "`wslimg lock RECIPE` makes it anew, from what its source has now"


def follow_lock(
    loaded: LoadedRecipe, lock: Lock, architecture: str, *, where: str, fix: str = _ANEW
) -> ArchitectureLock:
    """What `lock` holds for `architecture`. Raises ResolveError naming everything that does not fit."""
    refuse_stale(loaded, lock, (architecture,), where=where, fix=fix)
    return lock.architectures[architecture]


def refuse_stale(
    loaded: LoadedRecipe, lock: Lock, architectures: Iterable[str], *, where: str, fix: str = _ANEW
) -> None:
    """Raises ResolveError naming each part of the recipe, by its place, that `lock` holds otherwise."""
    wanted = tuple(architectures)
    if stale := (*find_stale(lock, loaded.recipe, wanted), *_find_changed(loaded, lock, wanted)):
        lines = "".join(f"\n  {line}" for line in _at_places(loaded, stale))
        raise ResolveError(f"the lock does not fit {loaded.path}:{lines}", where=where, fix=fix)


def follow_fitting_lock(loaded: LoadedRecipe, architecture: str, sink: Sink) -> ArchitectureLock | None:
    """What the lock beside the recipe holds for `architecture`; None unless there is one that fits."""
    lock = read_old_lock(lock_path(loaded.path), sink)
    if lock is None or find_stale(lock, loaded.recipe, (architecture,)):
        return None
    if any(_find_changed(loaded, lock, (architecture,))):
        return None
    return lock.architectures[architecture]


def _find_changed(loaded: LoadedRecipe, lock: Lock, architectures: Iterable[str]) -> Iterator[Stale]:
    """What `lock` does not hold of the files that the source is made of."""
    source, folder, private = loaded.recipe.source.model, loaded.lowest.folder, list_private(loaded)
    for architecture in architectures:
        locked = lock.architectures.get(architecture)
        if locked and (message := kind_of(source).changed(source, locked, folder, private)):
            yield Stale(part=SOURCE, message=message)
            return  # it is the same for all


def list_private(loaded: LoadedRecipe) -> tuple[str, ...]:
    """Patterns of the files that wslimg itself reads and writes for `loaded`, by their absolute paths."""
    recipe: LoadedRecipe | None = loaded
    patterns: list[str] = []
    while recipe is not None:
        patterns += private_files(recipe.path, recipe.recipe.name)
        recipe = recipe.base
    return tuple(patterns)


def private_files(path: Path, name: str) -> tuple[str, ...]:
    """The same for the recipe `path`, whose image is called `name`."""
    files = (str(each.absolute()) for each in (path, lock_path(path)))
    return *map(glob.escape, files), *(f"/**/{name}_*_{each}.*" for each in get_args(Architecture))


def keep_resolved(loaded: LoadedRecipe, architecture: str, resolved: ArchitectureLock, sink: Sink) -> None:
    """Make `resolved` the lock beside the recipe; reports how it differs from the one that was there."""
    file = lock_path(loaded.path)
    old = read_old_lock(file, sink)
    lock = merge_lock(loaded.recipe, architecture, resolved, old)
    save_lock(file, lock)
    if old is not None:
        _report_changes(old, lock, architecture, file, sink)


def read_old_lock(path: Path, sink: Sink) -> Lock | None:
    """The lock that is about to be replaced, if there is one that can be read."""
    try:
        return read_lock(path)
    except MissingLockError:
        return None
    except ResolveError as error:
        sink(Note(message=f"{path} is replaced: it {error.message}", level="warning"))
        return None


def save_lock(path: Path, lock: Lock) -> None:
    """Write the lock. Raises ResolveError where the folder is not writable."""
    try:
        write_lock(path, lock)
    except OSError as error:
        raise ResolveError(
            f"the lock cannot be written: {error.strerror}",
            where=str(path),
            fix="copy the recipe to a folder of yours, or follow its lock with --locked",
        ) from None


def describe_dropped(old: Lock, new: Lock) -> str:
    """Which architectures are no longer in the lock, in words; empty if none."""
    dropped = ", ".join(sorted(old.architectures.keys() - new.architectures.keys()))
    return f"the recipe changed, so the lock holds no {dropped} any more" if dropped else ""


def _report_changes(old: Lock, new: Lock, architecture: str, path: Path, sink: Sink) -> None:
    if dropped := describe_dropped(old, new):
        sink(Note(message=f"{path}: {dropped}"))
    before = old.architectures.get(architecture)
    if before is None:
        return
    changes = describe_difference(before, new.architectures[architecture])
    if changes:
        count = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
        sink(Note(message=f"{count} since {path} was made, which is renewed (--locked would follow it):"))
    for line in shorten_difference(changes):
        sink(Note(message=f"  {line}"))


def _at_places(loaded: LoadedRecipe, stale: Iterable[Stale]) -> list[str]:
    places = {step_part(index): place for index, place in enumerate(loaded.places)}
    lowest = loaded.lowest.path
    places[SOURCE] = str(parse_document(lowest, str(lowest)).keys[(SOURCE,)])
    return [f"{places[each.part]}: {each.message}" if each.part else each.message for each in stale]
