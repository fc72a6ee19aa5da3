"""The commands about recipes themselves: list, start one from a shipped one, print the schema."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from builder.core.errors import UsageError
from builder.core.files import write_atomic
from builder.core.resources import resource_folder
from builder.core.suggestions import did_you_mean
from builder.load.recipe import load_recipe
from builder.load.schema import recipe_schema

SCHEMA_FILE = "recipe.schema.json"

__all__ = ["init_recipe", "list_recipes", "recipe_schema"]


def list_recipes() -> list[tuple[str, str]]:
    """(name, description) of every shipped recipe."""
    return [(name, load_recipe(path).recipe.description or "") for name, path in _shipped().items()]


def init_recipe(name: str, folder: Path) -> Path:
    """Copy the shipped recipe `name` and the schema into `folder`; returns the new recipe.

    Raises UsageError for an unknown name, or when the recipe is there already.
    """
    shipped = _shipped()
    if name not in shipped:
        known = ", ".join(shipped)
        raise UsageError(
            f"there is no shipped recipe {name!r}, expected one of {known}{did_you_mean(name, shipped)}"
        )
    target = folder / shipped[name].name
    if target.exists():
        raise UsageError(
            "is there already", where=str(target), fix="choose another folder, or rename the file"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _copy(shipped[name], target)
    write_atomic(folder / SCHEMA_FILE, json.dumps(recipe_schema(), indent=2).encode("ascii") + b"\n")
    return target


def _shipped() -> dict[str, Path]:
    """Name -> file. A recipe with files of its own is a folder that holds `NAME.yaml`."""
    root = resource_folder("recipes")
    return {path.stem: path for path in sorted((*root.glob("*.yaml"), *root.glob("*/*.yaml")))}


def _copy(recipe: Path, target: Path) -> None:
    if recipe.parent.name == recipe.stem:
        shutil.copytree(recipe.parent, target.parent, dirs_exist_ok=True)
    else:
        shutil.copyfile(recipe, target)
