"""Chains operations: the base, the recipe's steps in their order, then what WSL reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from builder.core.digests import sha256_json
from builder.core.errors import RecipeError
from builder.model.assets import Assets
from builder.model.lock import ArchitectureLock, LockedImage
from builder.model.operation import Operation
from builder.model.plan import Plan, PlannedBase, PlannedOperation
from builder.plan.keys import base_key, operation_key
from builder.plan.wsl import wsl_operations
from builder.recipe import Recipe
from builder.steps.families import Family, family_of
from builder.steps.step import StepContext

# (title, place, step or -1, operation) before it is chained
Draft = tuple[str, str, int, Operation]


def plan_recipe(
    recipe: Recipe,
    lock: ArchitectureLock,
    *,
    architecture: str,
    base: PlannedBase,
    preparation: Sequence[Operation],
    inputs: Sequence[object],
    places: Sequence[str],
    owners: Sequence[tuple[str, str]],
    assets: Assets,
) -> Plan:
    """The plan of one image.

    `base` and `preparation` are what the source makes of the lock; `inputs`, `places` and `owners` belong to
    the recipe's steps, one each: an owner is the name and the version of the recipe that has the step. Raises
    RecipeError and SettingError for what cannot be planned.
    """
    family = family_of(lock.facts.os_release)
    drafts = [
        *(("configure the base", "", -1, operation) for operation in preparation),
        *_plan_steps(recipe, lock, family, architecture, inputs, places, owners),
        *(("WSL settings", "", -1, operation) for operation in _finish(recipe, lock, family, assets)),
    ]
    return Plan(
        name=recipe.name,
        version=recipe.version,
        architecture=architecture,
        time=lock.time,
        base=base,
        operations=tuple(_chain(base.key, drafts)),
    )


def plan_base(title: str, lines: Sequence[str], architecture: str) -> PlannedBase:
    """The base that `lines` describe in full."""
    return PlannedBase(key=base_key(lines, architecture), title=title, inputs=tuple(lines))


def digest_recipe(recipe: Recipe) -> str:
    """The digest of everything the recipe says, whatever its layout, comments and order of keys. A key that a
    later version knows and the recipe does not have changes nothing."""
    return sha256_json(recipe.model_dump(mode="json", by_alias=True, exclude_none=True))


def _plan_steps(
    recipe: Recipe,
    lock: ArchitectureLock,
    family: Family,
    architecture: str,
    inputs: Sequence[object],
    places: Sequence[str],
    owners: Sequence[tuple[str, str]],
) -> Iterator[Draft]:
    packages = {locked.step: locked for locked in lock.steps}
    around = zip(recipe.steps, inputs, places, owners, strict=True)
    for index, (step, given, place, (name, version)) in enumerate(around):
        context = StepContext(
            family=family,
            architecture=architecture,
            name=name,
            version=version,
            time=lock.time,
            os_release=lock.facts.os_release,
            packages=packages.get(index),
        )
        try:
            operations = step.model.operations(context, given)
        except RecipeError as error:
            raise RecipeError(error.message, where=error.where or place, fix=error.fix) from error
        for operation in operations:
            yield step.model.title, place, index, operation


def _finish(recipe: Recipe, lock: ArchitectureLock, family: Family, assets: Assets) -> tuple[Operation, ...]:
    user = lock.source.user if isinstance(lock.source, LockedImage) else ""
    decided = _with_user_of_image(recipe, user)
    return wsl_operations(decided, family, assets, digest_recipe(recipe))


def _with_user_of_image(recipe: Recipe, user: str) -> Recipe:
    """Sessions belong to the account that the container image runs as, if nothing else decides it:
    user.default of wsl.conf would outrank whoever is made at the first run."""
    if not user or recipe.first_run.mode != "none" or recipe.wsl.default_user is not None:
        return recipe
    return recipe.model_copy(update={"wsl": recipe.wsl.model_copy(update={"default_user": user})})


def _chain(parent: str, drafts: Iterable[Draft]) -> Iterator[PlannedOperation]:
    for title, place, step, operation in drafts:
        key = operation_key(parent, operation)
        yield PlannedOperation(
            key=key, parent=parent, title=title, place=place, step=step, operation=operation
        )
        parent = key
