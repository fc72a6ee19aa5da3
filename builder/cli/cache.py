"""`wslimg cache`: what the cache holds, and making room."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import click

from builder.cli.options import format_option
from builder.console import format_size
from builder.core.errors import WslimgError
from builder.pipeline.storage import (
    CachePart,
    locate_cache,
    measure_cache,
    measure_engine,
    prune_cache,
    prune_engine,
)


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
    """Show what the cache holds and how much room it takes, and what a container engine keeps of builds."""
    parts, engine = measure_cache(locate_cache()), _ask_engine(measure_engine) or []
    if form == "json":
        click.echo(json.dumps([part.as_dict() for part in (*parts, *engine)], indent=2))
        return
    _show(parts)
    if engine:
        click.echo(f"\non the engine at {engine[0].place}:")
        _show(engine)


@cache.command()
@click.option("--limit", metavar="SIZE", default="0", show_default=True, help="Keep at most SIZE, e.g. 5GB.")
def prune(limit: str) -> None:
    """Delete what was not used for the longest time; everything by default. Running builds keep
    what they work on, except for downloads that they have not unpacked yet.

    Also what a container engine keeps of builds: layers, step caches, containers of killed builds. It does
    not say what was used when, so there it is all, if it takes more than SIZE.
    """
    size = _read_size(limit)
    from_engine = _ask_engine(
        lambda: prune_engine(locate_cache(), size)
    )  # first: the rest may enter a user namespace
    click.echo(f"freed {format_size(prune_cache(locate_cache(), size))}")
    if from_engine:
        click.echo(f"freed {format_size(from_engine)} of the container engine")


_Answer = TypeVar("_Answer")


def _ask_engine(question: Callable[[], _Answer]) -> _Answer | None:
    """The answer; None, with a line that says why, where the engine gives none."""
    try:
        return question()
    except WslimgError as error:
        click.echo(f"the container engine is left out: {error}", err=True)
        return None


def _show(parts: list[CachePart]) -> None:
    for part in parts:
        click.echo(f"{part.name:<12} {part.count:>7} items {format_size(part.size):>10}")
    click.echo(f"{'total':<27}{format_size(sum(part.size for part in parts)):>10}")


def _read_size(text: str) -> int:
    units = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
    number = text.upper().rstrip("BKMGT")
    unit = text.upper()[len(number) :].removesuffix("B")
    try:
        return int(float(number) * units[unit])
    except (KeyError, ValueError):
        raise click.BadParameter(f"{text!r} is no size; write for example 500MB or 20GB") from None
