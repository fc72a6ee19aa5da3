"""`wslimg lock`."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import console, progress_options, recipe_argument
from builder.pipeline.locking import check_lock, lock_recipe
from builder.pipeline.prepare import BuildOptions


@click.command()
@recipe_argument
@click.option("--arch", metavar="ARCH", help="Resolve this architecture only. [default: all of the recipe's]")
@click.option("--check", "only_check", is_flag=True, help="Only say whether the lock still fits the recipe.")
@click.option("--mirror", metavar="URL", help="Read package indexes from this mirror.")
@progress_options
def lock(
    recipe: Path,
    arch: str | None,
    only_check: bool,
    mirror: str | None,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Resolve RECIPE to exact versions and digests, kept beside it in NAME.lock, and show what changed."""
    with console(progress, verbose, quiet) as sink:
        if only_check:
            click.echo(f"{check_lock(recipe, sink)} fits the recipe")
            return
        result = lock_recipe(recipe, BuildOptions(architecture=arch, mirror=mirror), sink)
    for architecture, changes in result.changes.items():
        click.echo(f"{architecture}: {len(changes) or 'no'} packages changed")
        for change in changes:
            click.echo(f"  {change}")
    click.echo(f"wrote {result.path}")
