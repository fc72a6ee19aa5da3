"""A recipe on top of another one: source and steps of both in one, each step as its author meant it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.core.errors import RecipeError
from builder.load.document import Document, Problem
from builder.load.explain import locate
from builder.recipe import Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedRecipe:
    """A recipe and where it came from.

    `path` is as its user named it, `folder` is absolute and what the files of the recipe are relative to.
    `places`, `inputs` and `owners` have one item for each step: `file:line:column`, what its `read_inputs`
    gave, and name and version of the recipe that has it.

    Where the file names another recipe as its source, that is `base`; source and steps are then those of
    both together.
    """

    recipe: Recipe
    path: Path
    folder: Path
    places: tuple[str, ...]
    inputs: tuple[Any, ...]
    owners: tuple[tuple[str, str], ...]
    base: LoadedRecipe | None = None

    @property
    def lowest(self) -> LoadedRecipe:
        """The recipe that names what all starts from: the base's base, if there is one, and so on."""
        return self.base.lowest if self.base is not None else self


def put_on_base(base: LoadedRecipe, own: LoadedRecipe) -> LoadedRecipe:
    """`own` going on where `base` ends."""
    return LoadedRecipe(
        recipe=own.recipe.model_copy(
            update={"source": base.recipe.source, "steps": (*base.recipe.steps, *own.recipe.steps)}
        ),
        path=own.path,
        folder=own.folder,
        places=(*base.places, *own.places),
        inputs=(*base.inputs, *own.inputs),
        owners=(*base.owners, *own.owners),
        base=base,
    )


def refuse_circle(path: Path, above: Sequence[Path], where: str) -> None:
    """Raise RecipeError, naming all the way round, where `path` is the base of one of its own bases. `above`
    are the recipes on top of it, the topmost first."""
    if any(path.samefile(each) for each in above):
        way = " -> ".join(str(each) for each in (*above, path))
        raise RecipeError(
            f"is in the end its own base: {way}",
            where=where,
            fix="have the lowest of them start from something else than a recipe",
        )


def find_foreign(recipe: Recipe, base: LoadedRecipe, document: Document) -> list[Problem]:
    """The architectures of `recipe` that its base is not for."""
    known = base.recipe.architectures
    return [
        locate(
            document,
            ("architectures", index),
            f"the base {base.path} is for {', '.join(known)}, not for {architecture}",
        )
        for index, architecture in enumerate(recipe.architectures)
        if architecture not in known
    ]
