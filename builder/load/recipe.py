"""LOAD: a YAML file becomes a Recipe, with the files its steps name read and digested."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from builder.core.errors import RecipeError
from builder.load.base import LoadedRecipe, find_foreign, put_on_base, refuse_circle
from builder.load.document import Document, Location, Problem, parse_document
from builder.load.explain import explain_errors, locate
from builder.recipe import Recipe
from builder.steps.contents import find_problem
from builder.steps.step import InputProblems

__all__ = ["LoadedRecipe", "load_recipe"]


def load_recipe(path: Path) -> LoadedRecipe:
    """Read the recipe `path`, every file its steps name, and the recipe it is based on, if it is.

    Raises RecipeError with all problems of the recipe, one a line, each with its place. Only YAML that cannot
    be read at all is reported alone, and what is wrong with a base when nothing is wrong above it.
    """
    return _load(path, ())


def _load(path: Path, above: tuple[Path, ...]) -> LoadedRecipe:
    """`above` are the recipes that this one is a base of, the topmost first."""
    document = parse_document(path, str(path))
    recipe = _decode(document, path)
    # Relative to where the user is, so that messages name files as they would.
    inputs, problems = _read_inputs(recipe, path.parent, document)
    _refuse([*problems, *_find_missing(recipe, path.parent, document)], path)
    own = LoadedRecipe(
        recipe=recipe,
        path=path,
        folder=path.absolute().parent,
        places=_places(recipe, document),
        inputs=inputs,
        owners=((recipe.name, recipe.version),) * len(recipe.steps),
    )
    return own if recipe.source.recipe is None else _load_below(own, document, above)


def _load_below(own: LoadedRecipe, document: Document, above: tuple[Path, ...]) -> LoadedRecipe:
    """`own` on the recipe that its `document` names as its source."""
    named = own.recipe.source.recipe
    assert named is not None
    path, users = own.path.parent / named.path, (*above, own.path)
    place = str(document.values["source", "recipe"])
    refuse_circle(path, users, place)
    try:
        base = _load(path, users)
    except RecipeError as error:
        raise RecipeError(
            f"{error.message}\n  {place}: is based on it", where=error.where, fix=error.fix
        ) from error
    _refuse(find_foreign(own.recipe, base, document), own.path)
    return put_on_base(base, own)


def _decode(document: Document, path: Path) -> Recipe:
    try:
        recipe = Recipe.model_validate(document.value)
    except ValidationError as error:
        _refuse([*document.problems, *explain_errors(error, document, Recipe)], path)
        raise
    _refuse(document.problems, path)
    return recipe


def _refuse(problems: Iterable[Problem], path: Path) -> None:
    """Raise the report of `problems`, in the order of the file, if there are any."""
    found = sorted(set(problems), key=lambda problem: (problem.order, problem.place, problem.message))
    if not found:
        return
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    lines = (f"\n  {problem.place}: {problem.message}" for problem in found)
    raise RecipeError(f"{count}:{''.join(lines)}", where=str(path))


def _read_inputs(recipe: Recipe, folder: Path, document: Document) -> tuple[tuple[Any, ...], list[Problem]]:
    inputs, problems = [], []
    for index, step in enumerate(recipe.steps):
        try:
            inputs.append(step.model.read_inputs(folder))
        except InputProblems as error:
            location: Location = ("steps", index, step.kind)
            problems += [
                locate(document, (*location, *found.location), found.message, place=found.place)
                for found in error.problems
            ]
    return tuple(inputs), problems


def _find_missing(recipe: Recipe, folder: Path, document: Document) -> list[Problem]:
    """The files that parts other than the steps name."""
    named: tuple[tuple[Location, str | Path | None], ...] = (
        *((("source", recipe.source.kind, key), file) for key, file in recipe.source.model.files),
        (("wsl", "icon"), recipe.wsl.icon),
        (("wsl", "terminal_profile"), recipe.wsl.terminal_profile),
        (("checks", "policy"), recipe.checks.policy),
    )
    found = (find_problem(folder / name, str(name), location) for location, name in named if name is not None)
    return [locate(document, problem.location, problem.message) for problem in found if problem is not None]


def _places(recipe: Recipe, document: Document) -> tuple[str, ...]:
    return tuple(str(document.keys["steps", index, step.kind]) for index, step in enumerate(recipe.steps))
