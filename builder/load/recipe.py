"""LOAD: a YAML file becomes a Recipe, with the files its steps name read and digested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from builder.core.errors import RecipeError
from builder.load.document import Document, Location, Problem, parse_document
from builder.load.explain import explain_errors, locate
from builder.recipe import Recipe
from builder.steps.contents import find_problem
from builder.steps.step import InputProblems


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedRecipe:
    """A recipe and where it came from.

    `path` is as its user named it, `folder` is absolute and what the files of the recipe are relative to.
    `places` and `inputs` have one item for each step: `file:line:column`, and what its `read_inputs` gave.
    """

    recipe: Recipe
    path: Path
    folder: Path
    places: tuple[str, ...]
    inputs: tuple[Any, ...]


def load_recipe(path: Path) -> LoadedRecipe:
    """Read the recipe `path` and every file its steps name.

    Raises RecipeError with all problems of the recipe, one a line, each with its place. Only YAML that cannot
    be read at all is reported alone.
    """
    document = parse_document(path, str(path))
    recipe = _decode(document, path)
    folder = path.absolute().parent
    # Relative to where the user is, so that messages name files as they would.
    inputs, problems = _read_inputs(recipe, path.parent, document)
    _refuse([*problems, *_find_missing(recipe, path.parent, document)], path)
    return LoadedRecipe(
        recipe=recipe, path=path, folder=folder, places=_places(recipe, document), inputs=inputs
    )


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
