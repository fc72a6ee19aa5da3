"""`wslimg catalog list`, `show`, `verify`, `diff` and `log`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from builder.cli.options import console, format_option, progress_options
from builder.cli.targets import (
    catalog_argument,
    channel_option,
    check_channel,
    split_version,
    target_argument,
)
from builder.core.errors import ExitCode
from builder.model.catalog import ChannelDocument, ListedFlavor, ListedVersion
from builder.pipeline.compare import Comparison, compare_versions
from builder.publish.channel import describe_channel
from builder.publish.move import find_flavor
from builder.publish.read import read_channel
from builder.publish.record import read_records
from builder.publish.render import encode_model
from builder.publish.sign import read_allowed
from builder.publish.target import Target
from builder.publish.verify import verify_catalog


@click.command("list")
@target_argument
@channel_option
@format_option("text", "json")
def list_images(target: Target, channel: str, form: str) -> None:
    """List what a channel offers, the newest version of each flavor first."""
    document = describe_channel(read_channel(target, channel))
    if form == "json":
        click.echo(encode_model(document), nl=False)
    else:
        click.echo("\n".join(_rows(document)))


@click.command()
@target_argument
@click.argument("subject", metavar="FLAVOR[@VERSION]")
@channel_option
def show(target: Target, subject: str, channel: str) -> None:
    """Show a flavor, or one version of it: addresses, digests, and what was decided."""
    flavor, version = split_version(subject)
    state = read_channel(target, channel)
    find_flavor(state, flavor)
    listed = next(one for one in describe_channel(state).flavors if one.flavor == flavor)
    chosen = [one for one in listed.versions if version in ("", one.version)]
    if not chosen:
        known = ", ".join(one.version for one in listed.versions)
        raise click.UsageError(f"{flavor} has no version {version!r} in {channel}, but {known}")
    click.echo("\n".join(line for one in chosen for line in _details(listed, one)))


@click.command()
@catalog_argument
@click.option("--channel", callback=check_channel, metavar="NAME", default="", help="Only this one.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Public SSH key, or list of allowed signers, that the lists have to be signed by.",
)
@click.option("--quick", is_flag=True, help="Compare sizes only, do not read the images.")
@progress_options
@click.pass_context
def verify(
    context: click.Context,
    target: Target,
    channel: str,
    key: Path | None,
    quick: bool,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Check entries, images, lists and signatures: exit 0 if all is well, 6 if not."""
    allowed = read_allowed(key) if key else ""
    with console(progress, verbose, quiet) as sink:
        problems = verify_catalog(target, (channel,) if channel else (), allowed, sink, content=not quick)
    for problem in problems:
        click.echo(f"{problem.path}: {problem.message}\n  fix: {problem.fix}")
    if problems:
        context.exit(ExitCode.PUBLISH)
    signatures = "signatures are good" if key else "signatures were not checked: give --key"
    click.echo(f"{target.place}: entries, images and lists agree; {signatures}")


@click.command()
@target_argument
@click.argument("flavor")
@click.argument("old")
@click.argument("new")
@channel_option
@click.option("--arch", type=click.Choice(["amd64", "arm64"]), default="amd64", show_default=True)
@format_option("text", "json")
def diff(target: Target, flavor: str, old: str, new: str, channel: str, arch: str, form: str) -> None:
    """Show which packages differ between two versions of FLAVOR, from their inventories."""
    comparison = compare_versions(target, read_channel(target, channel), flavor, (old, new), arch)
    click.echo(_as_json(comparison) if form == "json" else "\n".join(_changes(comparison)))


@click.command()
@target_argument
def log(target: Target) -> None:
    """Show who changed what, and when."""
    for one in read_records(target):
        click.echo(f"{one.time} {one.who} {one.action} {one.channel} {' '.join(one.subjects)}".rstrip())


def _rows(document: ChannelDocument) -> Iterator[str]:
    rows = [
        (
            version.name,
            ",".join(one.architecture for one in version.images),
            f"{max(one.image.size for one in version.images) / 1e6:.0f} MB",
            version.images[0].published[:10],
            _state(flavor, version),
        )
        for flavor in document.flavors
        for version in flavor.versions
    ]
    head = ("NAME", "FOR", "SIZE", "PUBLISHED", "")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _state(flavor: ListedFlavor, version: ListedVersion) -> str:
    words = [f"= {flavor.flavor}"] if any(one.current for one in version.images) else []
    words += ["withdrawn"] if version.withdrawn else []
    if version.deprecated:
        words.append(f"deprecated, use {version.use}" if version.use else "deprecated")
    return ", ".join(words)


def _details(flavor: ListedFlavor, version: ListedVersion) -> Iterator[str]:
    yield f"{version.name}: {version.friendly_name} {version.version} {_state(flavor, version)}".rstrip()
    if version.description:
        yield f"  {version.description}"
    yield from (f"  {key.replace('_', ' ')}: {value}" for key, value in version.details.items())
    for one in version.images:
        yield f"  {one.architecture}: {one.url}"
        yield f"    sha256 {one.image.sha256}, {one.image.size} bytes, published {one.published}"
        yield from (f"    {side.kind}: {side.path}" for side in one.sidecars)


def _changes(comparison: Comparison) -> Iterator[str]:
    yield from (f"- {one.name} {one.old}" for one in comparison.packages if not one.new)
    yield from (f"+ {one.name} {one.new}" for one in comparison.packages if not one.old)
    yield from (f"  {one.name} {one.old} -> {one.new}" for one in comparison.packages if one.old and one.new)
    yield f"{len(comparison.packages)} packages differ; the image has {comparison.growth:+d} bytes"


def _as_json(comparison: Comparison) -> str:
    packages = [{"name": one.name, "old": one.old, "new": one.new} for one in comparison.packages]
    return json.dumps({"packages": packages, "growth": comparison.growth}, indent=2)
