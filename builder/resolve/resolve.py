"""Asks a recipe's source what it is now, together with the packages that the steps add to it."""

from __future__ import annotations

from collections.abc import Iterator

from builder.core.errors import ResolveError
from builder.model.lock import ArchitectureLock, Lock
from builder.recipe import Recipe
from builder.resolve.lockfile import digest_inputs
from builder.sources.source import StepRequest, Supply
from builder.sources.table import kind_of


def resolve_recipe(recipe: Recipe, architecture: str, supply: Supply) -> ArchitectureLock:
    """The lock of one architecture as of now. Raises ResolveError."""
    source = recipe.source.model
    return kind_of(source).resolve(source, architecture, tuple(package_requests(recipe)), supply)


def package_requests(recipe: Recipe) -> Iterator[StepRequest]:
    """What each `packages` step asks for, by its position."""
    for index, step in enumerate(recipe.steps):
        if step.packages is not None and step.packages.install:
            yield StepRequest(step=index, names=step.packages.install, recommends=step.packages.recommends)


def merge_lock(recipe: Recipe, architecture: str, resolved: ArchitectureLock, old: Lock | None) -> Lock:
    """`resolved` beside what `old` holds for other architectures, if `old` is about the same recipe."""
    inputs = digest_inputs(recipe)
    others = old.architectures if old is not None and old.inputs == inputs else {}
    return Lock(inputs=inputs, architectures={**others, architecture: resolved})


def locked_architecture(lock: Lock, recipe: Recipe, architecture: str, where: str) -> ArchitectureLock:
    """What `lock` holds for `architecture`. Raises ResolveError where it is stale or lacks it."""
    if stale := find_stale(lock, recipe):
        raise ResolveError(
            f"the lock is stale: {stale}", where=where, fix="make it anew with `wslimg lock RECIPE`"
        )
    if architecture not in lock.architectures:
        known = ", ".join(sorted(lock.architectures)) or "none"
        raise ResolveError(
            f"the lock holds no {architecture}, but {known}",
            where=where,
            fix=f"add it with `wslimg lock RECIPE --arch {architecture}`",
        )
    return lock.architectures[architecture]


def find_stale(lock: Lock, recipe: Recipe) -> str:
    """Which parts of `recipe` changed since `lock` was made, in words; empty when none did."""
    now = digest_inputs(recipe)
    changed = sorted(
        name for name in now.keys() | lock.inputs.keys() if now.get(name) != lock.inputs.get(name)
    )
    return f"{', '.join(changed)} changed since it was made" if changed else ""
