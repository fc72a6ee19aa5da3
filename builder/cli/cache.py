"""`wslimg cache`: what the cache holds, and making room."""

from __future__ import annotations

import json

import click

from builder.cli.options import format_option
from builder.console import format_size
from builder.pipeline.storage import locate_cache, measure_cache, prune_cache


@click.group()
def cache() -> None:
    """What wslimg keeps to be fast: layers, downloads, compressed segments."""


@cache.command()
def path() -> None:
    """Print the folder of the cache. $WSLIMG_CACHE moves it."""
    click.echo(locate_cache())


@cache.command()
@format_option("text", "json")
def ls(form: str) -> None:
    """Show what the cache holds and how much room it takes."""
    parts = measure_cache(locate_cache())
    if form == "json":
        click.echo(json.dumps([part.as_dict() for part in parts], indent=2))
        return
    for part in parts:
        click.echo(f"{part.name:<12} {part.count:>7} items {format_size(part.size):>10}")
    click.echo(f"{'total':<27}{format_size(sum(part.size for part in parts)):>10}")


@cache.command()
@click.option("--limit", metavar="SIZE", default="0", show_default=True, help="Keep at most SIZE, e.g. 5GB.")
def prune(limit: str) -> None:
    """Delete what was not used for the longest time; everything by default. Running builds keep theirs."""
    freed = prune_cache(locate_cache(), _read_size(limit))
    click.echo(f"freed {format_size(freed)}")


def _read_size(text: str) -> int:
    units = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
    number = text.upper().rstrip("BKMGT")
    unit = text.upper()[len(number) :].removesuffix("B")
    try:
        return int(float(number) * units[unit])
    except (KeyError, ValueError):
        raise click.BadParameter(f"{text!r} is no size; write for example 500MB or 20GB") from None
