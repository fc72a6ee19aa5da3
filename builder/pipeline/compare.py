"""`wslimg catalog diff`: what changed between two published versions."""

from __future__ import annotations

from dataclasses import dataclass

from builder.core.errors import PublishError
from builder.model.catalog import Publication
from builder.publish.channel import Channel
from builder.publish.move import find_flavor
from builder.publish.packages import PackageChange, Packages, compare_packages, find_sidecar, read_packages
from builder.publish.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Packages that differ, by name, and by how many bytes the new image is larger."""

    packages: tuple[PackageChange, ...]
    growth: int


def compare_versions(
    target: Target, channel: Channel, flavor: str, versions: tuple[str, str], architecture: str
) -> Comparison:
    """What differs between two `versions` (old, new) of `flavor`. Raises PublishError for a version that is
    not there, or has no inventory."""
    old, new = (_find(channel, flavor, version, architecture) for version in versions)
    return Comparison(
        packages=compare_packages(_read(target, old), _read(target, new)),
        growth=new.image.size - old.image.size,
    )


def _find(channel: Channel, flavor: str, version: str, architecture: str) -> Publication:
    for one in find_flavor(channel, flavor):
        if (one.version, one.architecture) == (version, architecture):
            return one
    raise PublishError(
        f"channel {channel.name} has no {flavor} {version} for {architecture}",
        fix="`wslimg catalog list` shows what there is",
    )


def _read(target: Target, publication: Publication) -> Packages:
    inventory = find_sidecar(publication.sidecars, "inventory")
    if inventory is None:
        raise PublishError(
            f"{publication.flavor} {publication.version} was published without an inventory",
            fix="publish the image again with the inventory that `wslimg build` wrote beside it",
        )
    return read_packages(target, inventory, publication.architecture)
