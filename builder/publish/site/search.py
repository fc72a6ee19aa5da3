"""What the search looks through, as a script: a page that was opened from a disk may load no JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from builder.model.catalog import ListedImage
from builder.publish.packages import Packages
from builder.publish.site.describe import Distribution, Site

_HEAD, _TAIL = "wslimgSearch(", ");\n"

ReadPackages = Callable[[ListedImage], Packages]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What is found of one flavor: its versions, and the packages of the `images` its name leads to."""

    flavor: str
    versions: tuple[str, ...]
    images: tuple[ListedImage, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """What the packages are those of."""
        return tuple(image.image.sha256 for image in self.images)


def list_rows(site: Site) -> tuple[Row, ...]:
    """The row of every distribution of `site`."""
    return tuple(
        Row(
            flavor=one.flavor,
            versions=tuple(release.version for release in one.releases),
            images=_current_images(one),
        )
        for one in site.distributions
    )


def render_search(rows: tuple[Row, ...], before: bytes, read: ReadPackages) -> bytes:
    """The script for `rows`. Packages that the script `before` knows of the same images are not read again.

    Each package is written once, as "NAME VERSION", and rows have its number: images have most in common.
    """
    known = _parse(before)
    found = {row.flavor: known.get(row.digests) or _read(row, read) for row in rows}
    table = sorted({package for packages in found.values() for package in packages})
    numbers = {package: number for number, package in enumerate(table)}
    data = {
        "packages": table,
        "rows": [
            {
                "flavor": row.flavor,
                "versions": row.versions,
                "images": row.digests,
                "packages": [numbers[package] for package in found[row.flavor]],
            }
            for row in rows
        ],
    }
    return (_HEAD + json.dumps(data, separators=(",", ":")) + _TAIL).encode("ascii")


def _current_images(one: Distribution) -> tuple[ListedImage, ...]:
    """One image of every release that the name of `one` leads to: others differ in architecture only."""
    releases = {release.version: release for _, release in one.standing}
    return tuple(release.images[0] for release in releases.values())


def _read(row: Row, read: ReadPackages) -> list[str]:
    return sorted({f"{name} {version}" for image in row.images for name, version in read(image).items()})


def _parse(before: bytes) -> Mapping[tuple[str, ...], list[str]]:
    """Digests -> packages of a script that was rendered before; nothing for what is none."""
    text = before.decode("ascii", "replace")
    try:
        data = json.loads(text.removeprefix(_HEAD).removesuffix(_TAIL))
        return {
            tuple(row["images"]): [data["packages"][number] for number in row["packages"]]
            for row in data["rows"]
        }
    except (ValueError, KeyError, IndexError, TypeError):
        return {}
