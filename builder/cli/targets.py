"""Arguments and options that all commands about catalogs share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from builder.model.catalog import DEFAULT_CHANNEL
from builder.publish.choose import open_target
from builder.publish.places import open_catalog
from builder.publish.sign import Signer
from builder.publish.target import Target

F = TypeVar("F", bound=Callable[..., object])
R = TypeVar("R")
_CHANNEL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def target_argument(function: F) -> F:
    """One TARGET, whose entries and images are read."""
    return click.argument("target", metavar="TARGET", callback=_open)(function)


def catalog_argument(function: Callable[..., R]) -> Callable[..., R]:
    """One TARGET, whose lists are read or written, and where these are."""

    @functools.wraps(function)
    def run(*positional: object, address: str, index_to: str, **given: object) -> R:
        return function(*positional, target=open_catalog(address, index_to), **given)

    return click.argument("address", metavar="TARGET")(index_option(run))


def index_option(function: F) -> F:
    """`--index-to`."""
    return click.option(
        "--index-to", metavar="TARGET", default="", help="Where the lists are, if not beside the images."
    )(function)


def images_option(function: F) -> F:
    """`--images-url`."""
    return click.option(
        "--images-url",
        metavar="URL",
        default="",
        help="Where Windows downloads images, if not below --base-url; {sha256} stands for their digest.",
    )(function)


def channel_option(function: F) -> F:
    """`--channel`."""
    return click.option(
        "--channel",
        callback=check_channel,
        metavar="NAME",
        default=DEFAULT_CHANNEL,
        show_default=True,
        help="Which of the catalog's lists.",
    )(function)


def sign_option(function: F) -> F:
    """`--sign`."""
    return click.option(
        "--sign",
        "signer",
        metavar="KEY",
        callback=_make_signer,
        type=click.Path(path_type=Path),
        help="SSH key to sign the lists with; a public key means that of the agent.",
    )(function)


def check_channel(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """The callback of options that name a channel: refuse what could not be a folder on every target."""
    if value and not _CHANNEL.fullmatch(value):
        message = f"{value!r} is no channel: use lower-case letters, digits and '-'"
        raise click.BadParameter(message, context, parameter)
    return value


def split_version(subject: str) -> tuple[str, str]:
    """`FLAVOR@VERSION` as (flavor, version); the version is "" where none is given."""
    flavor, _, version = subject.partition("@")
    return flavor, version


def _open(context: click.Context, parameter: click.Parameter, value: str) -> Target:  # noqa: ARG001 - click's signature
    return open_target(value)


def _make_signer(context: click.Context, parameter: click.Parameter, value: Path | None) -> Signer | None:
    if value and not value.is_file():
        raise click.BadParameter(f"there is no file {value}", context, parameter)
    return Signer(key=value) if value else None
