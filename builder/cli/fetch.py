"""`wslimg fetch`."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import architecture_option, console, mirror_option, progress_options, recipe_argument
from builder.console import format_size
from builder.pipeline.fetch import fetch_bundle
from builder.pipeline.prepare import BuildOptions


@click.command()
@recipe_argument
@click.option(
    "-o",
    "--out",
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="The file to write. [default: NAME_VERSION_ARCH.bundle]",
)
@architecture_option
@click.option("--locked", is_flag=True, help="Fetch exactly what the lock says, or fail.")
@mirror_option("Download packages from this mirror.")
@progress_options
def fetch(
    recipe: Path,
    out: Path | None,
    arch: str | None,
    locked: bool,
    mirror: str | None,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Gather everything that a build of RECIPE downloads into one file, for `wslimg build --offline`.

    The lock beside the recipe is followed where it fits; without one, RECIPE is resolved first.
    """
    options = BuildOptions(architecture=arch, locked=locked, mirror=mirror)
    with console(progress, verbose, quiet) as sink:
        result = fetch_bundle(recipe, out, options, sink)
    size = format_size(result.size)
    click.echo(f"wrote {result.path}: {result.packages} packages for {result.architecture}, {size}")
