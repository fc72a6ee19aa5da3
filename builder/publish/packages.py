"""The packages of published images, from the inventories beside them, and what differs between two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import zstandard
from pydantic import ValidationError

from builder.core.errors import PublishError
from builder.model.catalog import Sidecar
from builder.model.manifest import Inventory, InventoryPackage
from builder.publish.target import Target
from builder.sources.debian.version import version_key

_ENTRIES = b',"entries":['
"""Where the list of files begins. No text of JSON can hold these bytes, its quotes are escaped."""

Packages = Mapping[str, str]
"""Name -> version, sorted by name; a package of a foreign architecture is called NAME:ARCHITECTURE."""


class DamagedError(PublishError):
    """What was published as an inventory is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageChange:
    """A package with its versions; "" where it is not installed."""

    name: str
    old: str
    new: str


def find_sidecar(sidecars: Iterable[Sidecar], kind: str) -> Sidecar | None:
    """The sidecar of that `kind`, None if the image was published without."""
    return next((side for side in sidecars if side.kind == kind), None)


def read_packages(target: Target, inventory: Sidecar, architecture: str) -> Packages:
    """What `inventory` says is installed in an image for `architecture`. Raises DamagedError, PublishError.

    Only its beginning is read: the list of files, which is a thousand times longer, stands behind."""
    where = f"{target.place}/{inventory.path}"
    try:
        head = Inventory.model_validate_json(_read_head(target, inventory.path))
    except (ValidationError, zstandard.ZstdError) as error:
        raise DamagedError("is no inventory", where=where, fix="publish the image again") from error
    return dict(sorted((_name(one, architecture), one.version) for one in head.packages))


def compare_packages(old: Packages, new: Packages) -> tuple[PackageChange, ...]:
    """The packages that differ, by name."""
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return tuple(PackageChange(name=name, old=old.get(name, ""), new=new.get(name, "")) for name in names)


def is_downgrade(change: PackageChange) -> bool:
    """Whether the new version of a package is the older one, as dpkg compares them."""
    return bool(change.old and change.new) and version_key(change.new) < version_key(change.old)


def _read_head(target: Target, path: str) -> bytes:
    """The inventory at `path` without its list of files."""
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    text = b""
    for chunk in target.chunks(path):
        text += decompressor.decompress(chunk)
        head, found, _ = text.partition(_ENTRIES)
        if found:
            return head + _ENTRIES + b"]}"
    return text


def _name(package: InventoryPackage, architecture: str) -> str:
    native = package.architecture in (architecture, "all", "")
    return package.name if native else f"{package.name}:{package.architecture}"
