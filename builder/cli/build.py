"""`wslimg build` and `wslimg plan`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from builder.cli.options import (
    architecture_option,
    console,
    engine_option,
    format_option,
    isolation_option,
    mirror_option,
    progress_options,
    recipe_argument,
)
from builder.cli.summary import describe_build, describe_plan
from builder.console import log_to
from builder.pipeline.build import build_image
from builder.pipeline.explain import explain_plan
from builder.pipeline.prepare import BuildOptions


@click.command()
@click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dist"),
    show_default=True,
    help="Folder for images, manifests and logs.",
)
@engine_option
@isolation_option
@architecture_option
@click.option("--locked", is_flag=True, help="Build exactly what the lock says, or fail.")
@click.option(
    "--offline",
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="Build exactly what this bundle of `wslimg fetch` holds, without any network.",
)
@mirror_option("Download packages from this mirror; changes no byte of the image.")
@click.option(
    "--refresh",
    is_flag=True,
    help="Run every `run` step with `network: true` again, and what follows it; later builds reuse it.",
)
@click.option(
    "--refresh-step",
    "refresh_steps",
    metavar="N",
    type=click.IntRange(min=1),
    multiple=True,
    help="Likewise for the recipe's step N alone, which must be a `run`; counts from 1, can be repeated.",
)
@click.option("--no-cache", is_flag=True, help="Run every step, whatever is cached.")
@click.option("--debug-shell", is_flag=True, help="When a step fails, open a shell in the tree it left.")
@progress_options
def build(
    recipes: tuple[Path, ...],
    out: Path,
    engine: str,
    isolation: str,
    arch: str | None,
    locked: bool,
    offline: Path | None,
    mirror: str | None,
    refresh: bool,
    refresh_steps: tuple[int, ...],
    no_cache: bool,
    debug_shell: bool,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Build the image of each RECIPE into a `.wsl` with its manifest and inventory, and check it."""
    if offline is not None and (refresh or mirror):
        raise click.UsageError("--offline goes with neither --refresh nor --mirror, which need the network")
    options = BuildOptions(
        out=out,
        engine=engine,
        isolation=isolation,
        architecture=arch,
        locked=locked,
        offline=offline,
        mirror=mirror,
        refresh=refresh,
        refresh_steps=refresh_steps,
        use_cache=not no_cache,
        debug_shell=debug_shell,
    )
    with console(progress, verbose, quiet) as sink:
        for recipe in recipes:
            result = build_image(recipe, options, sink, log_to)
            if not quiet:
                click.echo(describe_build(result))


@click.command()
@recipe_argument
@architecture_option
@click.option("--locked", is_flag=True, help="Plan what the lock says, without asking the mirror.")
@mirror_option("Read package indexes from this mirror.")
@format_option("text", "json")
@progress_options
def plan(
    recipe: Path,
    arch: str | None,
    locked: bool,
    mirror: str | None,
    form: str,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Show what a build of RECIPE would do: each operation, cached or not, and if not, what changed."""
    options = BuildOptions(architecture=arch, locked=locked, mirror=mirror)
    with console(progress, verbose, quiet or not verbose) as sink:
        explained = explain_plan(recipe, options, sink)
    if form == "json":
        click.echo(json.dumps(explained.as_dict(), indent=2))
    else:
        click.echo(describe_plan(explained))
