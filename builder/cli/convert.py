"""`wslimg convert`."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import architecture_option, console, mirror_option, progress_options
from builder.cli.summary import describe_build, windows_path
from builder.console import format_size, log_to
from builder.pipeline.convert import ConvertOptions
from builder.pipeline.convert import convert as convert_source
from builder.pipeline.prepare import BuildOptions


@click.command()
@click.argument("source")
@click.option(
    "-o",
    "--output",
    metavar="IMAGE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the image alone, as this file. [default: all files of a build, into --out]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dist"),
    show_default=True,
    help="Folder for image, manifest and log.",
)
@click.option(
    "--recipe",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the recipe that is used, with its lock beside it.",
)
@click.option("--name", help="Name of the image. [default: that of SOURCE]")
@click.option("--version", help="Version of the image. [default: the tag, or what the system says]")
@architecture_option
@mirror_option("Ask this registry mirror first.")
@progress_options
def convert(
    source: str,
    output: Path | None,
    out: Path,
    recipe: Path | None,
    name: str | None,
    version: str | None,
    arch: str | None,
    mirror: str | None,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Make a checked `.wsl` of SOURCE without a recipe.

    SOURCE is a container image, an OCI layout, what `docker save` wrote, a Dockerfile or the folder it is in,
    or a root file system: an archive (a file or an address) or a folder. An image is named
    [HOST/]NAME[:TAG][@DIGEST] and pulled without any container engine; only one that no registry has, or
    docker-daemon:NAME[:TAG], is asked of an engine.
    """
    options = ConvertOptions(
        source=source,
        build=BuildOptions(out=out, architecture=arch, mirror=mirror),
        output=output,
        recipe=recipe,
        name=name,
        version=version,
    )
    with console(progress, verbose, quiet) as sink:
        result = convert_source(options, sink, log_to)
    if quiet:
        return
    if output is None:
        click.echo(describe_build(result))
    else:
        click.echo(
            f"\n  image     {output}  {format_size(result.manifest.image.size)}"
            f"\n  sha256    {result.manifest.image.sha256}"
            f"\n  install   wsl --install --from-file {windows_path(output)}"
        )
