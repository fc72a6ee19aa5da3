"""Options that several commands share, and what they have in common at start and end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from builder.console import PROGRESS_MODES, open_console
from builder.core.events import Sink

# Those of recipes. Not read from their model: loading that takes longer than some commands.
ARCHITECTURES = ("amd64", "arm64")

F = TypeVar("F", bound=Callable[..., object])


def recipe_argument(function: F) -> F:
    """One RECIPE."""
    return click.argument("recipe", type=click.Path(path_type=Path))(function)


def architecture_option(function: F) -> F:
    """`--arch`."""
    return click.option(
        "--arch",
        type=click.Choice(ARCHITECTURES),
        help="Architecture to build for. [default: this machine's]",
    )(function)


def mirror_option(use: str) -> Callable[[F], F]:
    """`--mirror`, for the `use` that is made of it."""
    return click.option("--mirror", metavar="URL", callback=_check_address, help=use)


def _check_address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001 - click's signature
    if value is not None and not re.match(r"https?://[^/]", value):
        raise click.BadParameter(f"{value!r} is no address that begins with http:// or https://")
    return value


def engine_option(function: F) -> F:
    """`--engine`."""
    return click.option(
        "--engine",
        type=click.Choice(["auto", "sandbox", "docker", "none"]),
        default="auto",
        show_default=True,
        help="What runs the steps.",
    )(function)


def isolation_option(function: F) -> F:
    """`--isolation`."""
    return click.option(
        "--isolation",
        type=click.Choice(["namespaces", "chroot"]),
        default="namespaces",
        show_default=True,
        help="How the sandbox keeps steps apart from this machine; chroot hardly does, and needs root.",
    )(function)


def format_option(*formats: str) -> Callable[[F], F]:
    """`--format`, the first being the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Output format.",
    )


def progress_options(function: F) -> F:
    """`--progress`, `-v` and `-q`."""
    function = click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors.")(function)
    function = click.option("-v", "--verbose", is_flag=True, help="Show what the steps print.")(function)
    return click.option(
        "--progress",
        type=click.Choice(PROGRESS_MODES),
        default="auto",
        show_default=True,
        help="How progress is shown, on standard error.",
    )(function)


@contextmanager
def console(progress: str, verbose: bool, quiet: bool) -> Iterator[Sink]:
    """The sink that the progress options ask for."""
    if verbose and quiet:
        raise click.UsageError("--verbose and --quiet exclude each other")
    with open_console(progress, verbosity=verbose - quiet) as sink:
        yield sink
