"""`wslimg catalog`: distribution lists as wsl.exe reads them."""

from __future__ import annotations

import click

from builder.cli.resolve_list import resolve


@click.group()
def catalog() -> None:
    """Look into distribution lists as wsl.exe does."""


catalog.add_command(resolve)
