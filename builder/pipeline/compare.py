"""`wslimg catalog diff`: what changed between two published versions."""

from __future__ import annotations

from dataclasses import dataclass

import zstandard
from pydantic import ValidationError

from builder.core.errors import PublishError
from builder.inspect.inventory import decode_inventory
from builder.model.catalog import Publication
from builder.model.manifest import InventoryPackage
from builder.publish.channel import Channel
from builder.publish.move import find_flavor
from builder.publish.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageChange:
    """A package with its versions; "" where it is not installed."""

    name: str
    old: str
    new: str


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
    before, after = _read_packages(target, old), _read_packages(target, new)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return Comparison(
        packages=tuple(
            PackageChange(name=name, old=before.get(name, ""), new=after.get(name, "")) for name in names
        ),
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


def _read_packages(target: Target, publication: Publication) -> dict[str, str]:
    """Name -> version of every package; one of a foreign architecture is called NAME:ARCHITECTURE."""
    for side in publication.sidecars:
        if side.kind == "inventory":
            try:
                inventory = decode_inventory(target.get(side.path))
            except (ValidationError, zstandard.ZstdError) as error:
                raise PublishError(
                    "is no inventory", where=f"{target.place}/{side.path}", fix="publish the image again"
                ) from error
            return {_name(one, publication.architecture): one.version for one in inventory.packages}
    raise PublishError(
        f"{publication.flavor} {publication.version} was published without an inventory",
        fix="publish the image again with the inventory that `wslimg build` wrote beside it",
    )


def _name(package: InventoryPackage, architecture: str) -> str:
    native = package.architecture in (architecture, "all", "")
    return package.name if native else f"{package.name}:{package.architecture}"
