"""`wslimg init` and `wslimg schema`: where a new recipe comes from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from builder.pipeline.recipes import init_recipe, list_recipes, recipe_schema


@click.command()
@click.option(
    "--from",
    "origin",
    metavar="NAME",
    default="debian",
    show_default=True,
    help="The shipped recipe to copy.",
)
@click.option("--list", "listing", is_flag=True, help="List the shipped recipes and stop.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(origin: str, listing: bool, folder: Path) -> None:
    """Start a recipe in FOLDER (.) from a shipped one, with the schema that editors complete it by."""
    if listing:
        for name, description in list_recipes():
            click.echo(f"{name:<20} {description}")
        return
    recipe = init_recipe(origin, folder)
    click.echo(f"wrote {recipe}\nbuild it with: wslimg build {recipe}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of recipes."""
    click.echo(json.dumps(recipe_schema(), indent=2))
