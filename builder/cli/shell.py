"""`wslimg shell`."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import architecture_option, console, engine_option, isolation_option, recipe_argument
from builder.pipeline.open_shell import open_shell
from builder.pipeline.prepare import BuildOptions


@click.command()
@recipe_argument
@click.argument("command", nargs=-1)
@click.option(
    "--at",
    metavar="NUMBER|failed",
    help="The operation, as `wslimg plan` numbers them, or what the failed step left. [default: the last]",
)
@engine_option
@isolation_option
@architecture_option
@click.option("--locked", is_flag=True, help="Take the tree that the lock says.")
@click.pass_context
def shell(
    context: click.Context,
    recipe: Path,
    command: tuple[str, ...],
    at: str | None,
    engine: str,
    isolation: str,
    arch: str | None,
    locked: bool,
) -> None:
    """Open a shell, or run COMMAND, in a throw-away copy of the tree of RECIPE as it was built.

    Nothing that is done there changes a layer or an image.
    """
    options = BuildOptions(engine=engine, isolation=isolation, architecture=arch, locked=locked)
    with console("plain", False, True) as sink:
        context.exit(open_shell(recipe, at, options, command, sink))
