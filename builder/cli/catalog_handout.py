"""`wslimg catalog windows`, `export` and `serve`: what leaves the catalog."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from builder.cli.options import console, progress_options
from builder.cli.targets import (
    channel_option,
    images_option,
    index_option,
    sign_option,
    target_argument,
)
from builder.core.errors import UsageError
from builder.core.files import write_atomic
from builder.publish.channel import describe_channel
from builder.publish.choose import open_target
from builder.publish.export import export as export_channel
from builder.publish.places import open_catalog
from builder.publish.read import read_channel, read_document
from builder.publish.serve import open_server
from builder.publish.sign import Signer
from builder.publish.target import Target
from builder.publish.windows import Mode, list_setting, reg_add, reg_delete, render_windows

mode_option = click.option(
    "--mode", type=click.Choice([mode.value for mode in Mode]), default=Mode.REPLACE.value,
    show_default=True, help="Instead of Microsoft's list, or before it.",
)  # fmt: skip


@click.command()
@target_argument
@channel_option
@mode_option
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", default="windows", show_default=True,
    help="Where the files go.",
)  # fmt: skip
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE",
    help="Public SSH key: the scripts then demand a signature.",
)  # fmt: skip
def windows(target: Target, channel: str, mode: str, out: Path, key: Path | None) -> None:
    """Write the files that point Windows machines to a channel, and print the command that does.

    Registry files, an Intune detection and remediation pair, an item for Group Policy Preferences, and for
    each flavor a script that installs it, resuming and verifying the download, and one that moves users with
    their home to its current version.
    """
    document = describe_channel(read_channel(target, channel))
    public_key = Signer(key=key).public_key() if key else ""
    line = reg_add(list_setting(document.base_url, channel, Mode(mode)))
    for name, data in render_windows(document, Mode(mode), public_key).items():
        write_atomic(out / name, data)
        click.echo(out / name)
    click.echo(line)


@click.command()
@target_argument
@click.argument("folder")
@index_option
@channel_option
@click.option("--base-url", metavar="URL", required=True, help="Where Windows will see FOLDER.")
@images_option
@sign_option
@progress_options
def export(
    target: Target, folder: str, channel: str, index_to: str, base_url: str, images_url: str,
    signer: Signer | None, progress: str, verbose: bool, quiet: bool,
) -> None:  # fmt: skip
    """Copy a channel with all its images to FOLDER, as a catalog of its own: for a site, or an air gap.

    Done again, it copies only what is new. Old images stay until `wslimg catalog prune FOLDER`.
    """
    with console(progress, verbose, quiet) as sink:
        mirror = open_catalog(folder, index_to, create=True)
        copied = export_channel(target, mirror, channel, base_url, signer, sink, images_url=images_url)
    click.echo(f"{folder}: channel {channel} for {base_url}, {copied} files copied")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@channel_option
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
def serve(folder: Path, channel: str, address: str, port: int) -> None:
    """Serve the catalog in FOLDER over HTTP, to try it before there is a server, until interrupted.

    The lists of a catalog whose images are elsewhere are enough.
    """
    base_url = read_document(open_target(str(folder)), channel).base_url
    try:
        with open_server(folder, address, port) as server:
            base = f"http://{_reachable(address)}:{server.server_port}"
            _explain_serving(base, channel, base_url)
            server.serve_forever()
    except OSError as error:
        raise UsageError(
            f"cannot listen: {error.strerror}", where=f"{address}:{port}", fix="choose another --port"
        ) from None


def _reachable(address: str) -> str:
    """What others call this machine, where it listens at all of its addresses."""
    return socket.gethostname() if address in ("", "0.0.0.0") else address  # noqa: S104 - compared with


def _explain_serving(base: str, channel: str, base_url: str) -> None:
    click.echo(f"serving {base}; in an elevated prompt on Windows:")
    settings = [list_setting(base, channel, mode) for mode in Mode]
    click.echo(f"  {reg_add(settings[0])}")
    click.echo("or, to keep Microsoft's list as well:")
    click.echo(f"  {reg_add(settings[1])}")
    click.echo("and when you are done:")
    for setting in settings:
        click.echo(f"  {reg_delete(setting)}")
    if base_url.rstrip("/") != base:
        click.echo(
            f"the lists lead to {base_url}: to install from here, "
            f"`wslimg catalog export` a copy with --base-url {base}"
        )
