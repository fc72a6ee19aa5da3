"""`wslimg publish`: images into a catalog that `wsl --install` reads."""

from __future__ import annotations

import time
from pathlib import Path

import click

from builder.cli.options import console, progress_options
from builder.cli.targets import channel_option, images_option, index_option, sign_option
from builder.core.errors import UsageError
from builder.model.catalog import Publication
from builder.pipeline.publishing import PublishOptions, publish_images
from builder.pipeline.titles import Titles
from builder.publish.places import open_catalog
from builder.publish.sign import Signer


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to",
    "address",
    metavar="TARGET",
    required=True,
    help="A folder, or an address: https, oci, s3, az, gs (untested), smb, or rclone:REMOTE:PATH.",
)
@index_option
@channel_option
@click.option("--base-url", metavar="URL", default="", help="Where Windows sees TARGET; once for a catalog.")
@images_option
@click.option("--flavor", metavar="NAME", default="", help="The name that stands for its versions.")
@click.option("--version", metavar="VERSION", default="", help="What the image is the version of.")
@click.option("--name", metavar="NAME", default="", help="Name of this version. [default: FLAVOR-VERSION]")
@click.option("--friendly-name", metavar="TEXT", default="", help="What people read.")
@click.option(
    "--default/--no-default", default=None, help="Prefer it to versions without, whatever is newer."
)
@click.option("--arch", metavar="ARCH", default="", help="What machines it is for: amd64 or arm64.")
@click.option("--policy", metavar="FILE", type=click.Path(path_type=Path), help="Refuse what breaks it.")
@sign_option
@progress_options
def publish(
    images: tuple[Path, ...],
    address: str,
    index_to: str,
    channel: str,
    base_url: str,
    images_url: str,
    flavor: str,
    version: str,
    name: str,
    friendly_name: str,
    default: bool | None,
    arch: str,
    policy: Path | None,
    signer: Signer | None,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Publish IMAGES in a catalog.

    What they are called comes from the manifest that `wslimg build` wrote beside them, or from the options.
    Published twice is published once. Images whose check finds errors, or that are not what their manifest
    says, are refused.
    """
    if len(images) > 1 and (name or arch):
        raise UsageError("--name and --arch are for one image", fix="publish the images one by one")
    titles = Titles(
        flavor=flavor,
        version=version,
        name=name,
        friendly_name=friendly_name,
        architecture=arch,
        default=default,
    )
    options = PublishOptions(
        channel=channel,
        titles=titles,
        now=int(time.time()),
        base_url=base_url,
        images_url=images_url,
        policy=policy,
        signer=signer,
    )
    with console(progress, verbose, quiet) as sink:
        target = open_catalog(address, index_to, create=bool(base_url))
        for publication in publish_images(images, target, options, sink):
            click.echo(describe(publication, channel))


def describe(publication: Publication, channel: str) -> str:
    """One line for a published image."""
    return (
        f"{channel}: {publication.flavor} {publication.version} for {publication.architecture}, "
        f"wsl --install {publication.name}"
    )
