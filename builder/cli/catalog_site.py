"""`wslimg catalog site`: the pages of a catalog that people read."""

from __future__ import annotations

import json
from pathlib import Path

import click

from builder.cli.options import console, format_option, progress_options
from builder.cli.targets import catalog_argument
from builder.model.catalog import Settings
from builder.publish.choose import open_target
from builder.publish.layout import SETTINGS
from builder.publish.publish import set_up
from builder.publish.read import list_channels, require_settings
from builder.publish.record import record
from builder.publish.site.derive import Changes, Places, derive_site, remove_site
from builder.publish.site.paths import INDEX
from builder.publish.target import Target


@click.command()
@catalog_argument
@click.option("--title", metavar="TEXT", help="The heading of the pages; kept for the next time.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Write the pages there, once, and let them lead to the catalog's own address.",
)  # fmt: skip
@click.option("--off", is_flag=True, help="Delete the pages, and keep them up to date no more.")
@format_option("text", "json")
@progress_options
def site(
    target: Target, title: str | None, out: Path | None, off: bool, form: str,
    progress: str, verbose: bool, quiet: bool,
) -> None:  # fmt: skip
    """Write pages for people: what there is, how to install it, what changed, and what WSL's errors mean.

    From then on every command that changes the catalog brings them up to date. They are static files that
    also work from a share or a disk. Run again, this compares every page with what it should be.
    """
    if off and out:
        raise click.UsageError("--off and --out exclude each other")
    with console(progress, verbose, quiet) as sink:
        settings = _decide(target, title, site=None if out else not off)
        places = Places(catalog=target, pages=open_target(str(out), create=True) if out else target)
        changes = (
            remove_site(target) if off else derive_site(places, list_channels(target), sink, thorough=True)
        )
    if form == "json":
        click.echo(json.dumps({"written": changes.written, "deleted": changes.deleted}, indent=2))
    else:
        click.echo(_describe(changes, places.pages.place if out else settings.base_url))


def _decide(target: Target, title: str | None, *, site: bool | None) -> Settings:
    """Settle what the catalog has to remember, and note who did. None leaves it as it is."""
    before = require_settings(target)
    given = {"title": title, "site": site}
    changes = {key: value for key, value in given.items() if value is not None}
    after = set_up(target, lambda found: (found or before).model_copy(update=changes))
    if after != before:
        record(target, "site", "", (SETTINGS,))
    return after


def _describe(changes: Changes, place: str) -> str:
    done = [f"{len(changes.written)} of {changes.pages} pages written"] if changes.pages else []
    done += [f"{len(changes.deleted)} deleted"] if changes.deleted else []
    begin = f": begin at {place.rstrip('/')}/{INDEX}" if changes.pages else ""
    return (", ".join(done) or "there were no pages") + begin
