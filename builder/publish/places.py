"""Opens a catalog to change it, in one place or two, and decides where Windows finds its images."""

from __future__ import annotations

import os

from builder.core.errors import UsageError
from builder.core.http import without_login
from builder.model.catalog import Settings
from builder.publish.choose import open_target
from builder.publish.directory import DirectoryTarget
from builder.publish.oci import OciTarget
from builder.publish.read import read_settings
from builder.publish.split import SplitTarget
from builder.publish.target import Target

_TWO = "give --index-to with the folder or web server that has the lists"


def open_catalog(address: str, lists: str = "", *, create: bool = False) -> Target:
    """The catalog at `address`, with its lists at the address `lists` ("" is beside the images). `create`
    makes folders that are not there.

    Raises UsageError if the catalog has its lists elsewhere and `lists` does not say so, or if lists would be
    where wsl.exe cannot read them; PublishError for a target that cannot be read.
    """
    images = open_target(address, create=create)
    if lists:
        apart = open_target(lists, create=create)
        name = os.path.abspath(apart.place) if isinstance(apart, DirectoryTarget) else apart.place
        return SplitTarget(images, apart, lists_at=name, images_url=_readers_url(address, images))
    settings = read_settings(images)
    if settings and settings.lists_at:
        raise UsageError(f"the lists of the catalog are at {settings.lists_at}", where=images.place, fix=_TWO)
    if isinstance(images, OciTarget):
        raise UsageError("wsl.exe cannot read a list from a registry", where=images.place, fix=_TWO)
    return images


def place_lists(settings: Settings, target: Target, images_url: str) -> Settings:
    """`settings` as they are if the lists are where `target` has them, and images are downloaded from
    `images_url` ("": from where they were, or what follows from `target`). Raises UsageError where nothing
    does."""
    if not isinstance(target, SplitTarget):
        return settings.model_copy(update={"images_url": images_url or settings.images_url, "lists_at": ""})
    url = images_url or settings.images_url or target.images_url
    if not url:
        raise UsageError(
            "lists that are elsewhere have to say where Windows downloads the images",
            where=target.place,
            fix="give --images-url with the address of TARGET for readers",
        )
    return settings.model_copy(update={"images_url": url, "lists_at": target.lists_at})


def _readers_url(address: str, images: Target) -> str:
    """Where anybody may download what is written to `address`, "" if that does not follow."""
    if isinstance(images, OciTarget):
        return images.images_url
    return without_login(address) if address.startswith(("http://", "https://")) else ""
