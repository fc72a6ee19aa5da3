"""Asks a recipe's source what it is now, together with the packages that the steps add to it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from builder.model.lock import ArchitectureLock
from builder.recipe import Recipe
from builder.sources.source import StepRequest, Supply
from builder.sources.table import kind_of


def resolve_recipe(
    recipe: Recipe, architecture: str, supply: Supply, versions: Mapping[str, str] = {}
) -> ArchitectureLock:
    """The lock of one architecture as of now, packages in `versions` held at these. Raises ResolveError."""
    source = recipe.source.model
    return kind_of(source).resolve(source, architecture, tuple(package_requests(recipe)), supply, versions)


def package_requests(recipe: Recipe) -> Iterator[StepRequest]:
    """What each `packages` step asks for, by its position."""
    for index, step in enumerate(recipe.steps):
        if step.packages is not None and step.packages.install:
            yield StepRequest(step=index, names=step.packages.install, recommends=step.packages.recommends)


def held_versions(lock: ArchitectureLock | None, but: Container[str]) -> dict[str, str]:
    """The version of each package that `lock` holds, `but` some names."""
    packages = lock.packages if lock is not None else ()
    return {package.name: package.version for package in packages if package.name not in but}
