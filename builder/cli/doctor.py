"""`wslimg doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from builder.cli.options import format_option
from builder.core.errors import ExitCode
from builder.core.places import cache_folder
from builder.pipeline.doctor import Probed, examine, usable


@click.command()
@format_option("text", "json")
@click.pass_context
def doctor(context: click.Context, form: str) -> None:
    """Try what a build needs on this machine, and say how to mend what does not work: exit 0 or 4."""
    probes = examine(cache_folder(), Path.cwd())
    if form == "json":
        click.echo(
            json.dumps({"ok": usable(probes), "probes": [probe.as_dict() for probe in probes]}, indent=2)
        )
    else:
        for probe in probes:
            click.echo(_describe(probe))
    context.exit(ExitCode.OK if usable(probes) else ExitCode.EXECUTE)


def _describe(probe: Probed) -> str:
    fix = f"\n{'':<27}fix: {probe.fix}" if probe.fix else ""
    return f"{probe.health.value:<8} {probe.name:<17} {probe.detail}{fix}"
