"""`wslimg catalog`: looks after published images, and into distribution lists as wsl.exe reads them."""

from __future__ import annotations

import click

from builder.cli.catalog_changes import deprecate, init, promote, prune, rebuild, rollback
from builder.cli.catalog_handout import export, serve, windows
from builder.cli.catalog_queries import diff, list_images, log, show, verify
from builder.cli.catalog_site import site
from builder.cli.resolve_list import resolve


@click.group()
def catalog() -> None:
    """Look after catalogs of images, and into distribution lists as wsl.exe does."""


_COMMANDS = (
    init, list_images, show, promote, rollback, deprecate, prune, rebuild, verify, diff, log,
    resolve, windows, export, serve, site,
)  # fmt: skip
for _command in _COMMANDS:
    catalog.add_command(_command)
