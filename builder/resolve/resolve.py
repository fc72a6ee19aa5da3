"""Asks a recipe's source what it is now, together with the packages that the steps add to it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from builder.model.lock import ArchitectureLock
from builder.recipe import Recipe
from builder.sources.source import StepRequest, Supply
from builder.sources.table import kind_of


def resolve_recipe(
    recipe: Recipe,
    architecture: str,
    supply: Supply,
    *,
    places: Sequence[str],
    versions: Mapping[str, str] = {},
) -> ArchitectureLock:
    """The lock of one architecture as of now, packages in `versions` held at these.

    `places` are those of the recipe's steps, for messages. Raises ResolveError.
    """
    source = recipe.source.model
    requests = tuple(package_requests(recipe, places))
    return kind_of(source).resolve(source, architecture, requests, supply, versions)


def package_requests(recipe: Recipe, places: Sequence[str] = ()) -> Iterator[StepRequest]:
    """What each `packages` step asks for, by its position; `places` are those of the steps, if known."""
    for index, step in enumerate(recipe.steps):
        if step.packages is not None and step.packages.install:
            yield StepRequest(
                step=index,
                names=step.packages.install,
                place=places[index] if places else "",
                recommends=step.packages.recommends,
            )


def held_versions(lock: ArchitectureLock | None, but: Container[str]) -> dict[str, str]:
    """The version of each package that `lock` holds, `but` some names."""
    packages = lock.packages if lock is not None else ()
    return {package.name: package.version for package in packages if package.name not in but}
