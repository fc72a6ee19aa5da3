"""`wslimg catalog init`, `promote`, `rollback`, `deprecate`, `prune` and `rebuild`."""

from __future__ import annotations

import click

from builder.cli.options import console, progress_options
from builder.cli.targets import (
    catalog_argument,
    channel_option,
    check_channel,
    images_option,
    index_option,
    sign_option,
    split_version,
)
from builder.core.events import discard
from builder.model.catalog import Settings
from builder.publish.index import rebuild_channel, refuse_unsigned
from builder.publish.layout import SETTINGS
from builder.publish.move import deprecate as deprecate_version
from builder.publish.move import promote as promote_version
from builder.publish.move import roll_back
from builder.publish.places import open_catalog, place_lists
from builder.publish.publish import set_up
from builder.publish.read import list_channels
from builder.publish.record import record
from builder.publish.retain import Pruned, Rules, plan_pruning
from builder.publish.retain import prune as prune_catalog
from builder.publish.sign import Signer
from builder.publish.target import Target

_version_argument = click.argument("subject", metavar="FLAVOR[@VERSION]")


@click.command()
@click.argument("address", metavar="TARGET")
@index_option
@click.option("--base-url", metavar="URL", default="", help="Where Windows sees TARGET.")
@images_option
@click.option("--default", metavar="FLAVOR", help="What `wsl --install` takes without a name.")
@click.option("--signed/--unsigned", default=None, help="Whether lists may only be written with --sign.")
@sign_option
def init(
    address: str,
    index_to: str,
    base_url: str,
    images_url: str,
    default: str | None,
    signed: bool | None,
    signer: Signer | None,
) -> None:
    """Make a catalog at TARGET, or change its settings and rebuild its lists.

    With --index-to the lists move there; what they were before stays where it is, for machines that still
    read it, and is not changed any more.
    """

    def change(before: Settings | None) -> Settings:
        start = before or Settings(base_url=base_url)
        given = {"base_url": base_url or None, "default": default, "signed": signed}
        changed = start.model_copy(update={key: value for key, value in given.items() if value is not None})
        after = place_lists(changed, target, images_url)
        if channels:
            refuse_unsigned(after, target.place, signer)
        return after

    target = open_catalog(address, index_to, create=True)
    channels = list_channels(target)
    settings = set_up(target, change)
    for channel in channels:
        rebuild_channel(target, channel, signer)
    record(target, "init", "", (SETTINGS,))
    click.echo(f"{target.place}: a catalog for {settings.base_url}{', signed' if settings.signed else ''}")


@click.command()
@catalog_argument
@_version_argument
@click.option("--from", "source", callback=check_channel, metavar="NAME", required=True, help="Where it is.")
@click.option("--to", "channel", callback=check_channel, metavar="NAME", required=True, help="Where it goes.")
@sign_option
def promote(target: Target, subject: str, source: str, channel: str, signer: Signer | None) -> None:
    """Offer a version of one channel in another, too: the same images, nothing is built or copied.

    Without VERSION it is the one that the flavor's name stands for.
    """
    flavor, version = split_version(subject)
    chosen = promote_version(target, flavor, version, source, channel, signer, discard)
    click.echo(f"{channel}: {flavor} {chosen}, as in {source}")


@click.command()
@catalog_argument
@click.argument("flavor")
@channel_option
@click.option("--to", "version", metavar="VERSION", default="", help="Go back to it. [default: one version]")
@sign_option
def rollback(target: Target, flavor: str, channel: str, version: str, signer: Signer | None) -> None:
    """Let the name FLAVOR lead to an earlier version.

    The later ones leave the list, their images stay; `promote` from and to the channel brings one back.
    """
    withdrawn = roll_back(target, flavor, channel, version, signer)
    click.echo(f"{channel}: withdrawn: {', '.join(f'{flavor} {one}' for one in withdrawn) or 'nothing'}")


@click.command()
@catalog_argument
@_version_argument
@channel_option
@click.option("--use", metavar="NAME", default="", help="What people should install instead.")
@click.option("--undo", is_flag=True, help="It is supported after all.")
@sign_option
def deprecate(
    target: Target, subject: str, channel: str, use: str, undo: bool, signer: Signer | None
) -> None:
    """Say of a version, or of a whole flavor, that nobody should begin with it; it can still be installed."""
    flavor, version = split_version(subject)
    versions = deprecate_version(target, flavor, version, channel, use, signer, undo=undo)
    verb = "supported again" if undo else "deprecated"
    click.echo(f"{channel}: {verb}: {', '.join(f'{flavor} {one}' for one in versions)}")


@click.command()
@catalog_argument
@click.option(
    "--keep", type=click.IntRange(min=1), default=4, show_default=True, help="Versions of a flavor to keep."
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=14,
    show_default=True,
    metavar="DAYS",
    help="How long images outlive their last entry.",
)
@click.option("--delete", is_flag=True, help="Do it; otherwise only show what would be done.")
@sign_option
def prune(target: Target, keep: int, grace: float, delete: bool, signer: Signer | None) -> None:
    """Let go of old versions, in all channels.

    A version leaves the lists at once and its images after the days of grace. Kept is whatever a flavor's
    name stands for, and every file that any channel names.
    """
    rules = Rules(keep=keep, grace=grace)
    done = prune_catalog(target, rules, signer) if delete else plan_pruning(target, rules)
    click.echo("\n".join(_describe_pruned(done, delete)))


@click.command()
@catalog_argument
@click.option("--channel", callback=check_channel, metavar="NAME", default="", help="Only this one.")
@sign_option
@progress_options
def rebuild(
    target: Target, channel: str, signer: Signer | None, progress: str, verbose: bool, quiet: bool
) -> None:
    """Make all lists anew from the entries, and sign them."""
    with console(progress, verbose, quiet):
        for name in (channel,) if channel else list_channels(target):
            changed = rebuild_channel(target, name, signer)
            click.echo(f"{name}: {'rebuilt' if changed else 'was right'}")


def _describe_pruned(pruned: Pruned, delete: bool) -> list[str]:
    lines = [f"{'unlisted' if delete else 'would unlist'} {path}" for path in pruned.entries]
    lines += [f"{'deleted' if delete else 'would delete'} {path}" for path in pruned.files]
    lines.append(f"{len(pruned.entries)} entries, {len(pruned.files)} files, {pruned.size / 1e6:.1f} MB")
    return lines if delete else [*lines, "nothing was changed: give --delete to do it"]
