"""`wslimg lock`."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import ARCHITECTURES, console, mirror_option, progress_options, recipe_argument
from builder.pipeline.locking import check_lock, lock_recipe
from builder.pipeline.prepare import BuildOptions


@click.command()
@recipe_argument
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option(
    "--arch",
    type=click.Choice(ARCHITECTURES),
    help="Resolve this architecture only. [default: all of the recipe's]",
)
@click.option(
    "--update",
    is_flag=True,
    help="Take the newest versions: of the packages NAME alone if given, all others stay as locked.",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Only say whether the lock still fits the recipe, and if not, which part does not.",
)
@mirror_option("Read package indexes from this mirror.")
@progress_options
def lock(
    recipe: Path,
    names: tuple[str, ...],
    arch: str | None,
    update: bool,
    only_check: bool,
    mirror: str | None,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Resolve RECIPE to exact versions and digests, kept beside it in NAME.lock, and show what changed."""
    if only_check and (update or mirror):
        raise click.UsageError("--check asks no mirror and updates nothing")
    if names and not update:
        raise click.UsageError(f"{' '.join(names)}: names of packages go with --update")
    with console(progress, verbose, quiet) as sink:
        if only_check:
            click.echo(f"{check_lock(recipe, arch, sink)} fits the recipe")
            return
        result = lock_recipe(recipe, BuildOptions(architecture=arch, mirror=mirror), sink, names=names)
    for architecture, changes in result.changes.items():
        click.echo(f"{architecture}: {_count(changes)}")
        for change in changes or ():
            click.echo(f"  {change}")
    click.echo(f"wrote {result.path}")


def _count(changes: list[str] | None) -> str:
    if changes is None:
        return "locked for the first time"
    return "1 change" if len(changes) == 1 else f"{len(changes) or 'no'} changes"
