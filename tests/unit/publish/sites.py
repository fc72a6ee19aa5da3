"""Catalogs to make pages of: what is published lies on a disk, the lists are written without publishing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from builder.core.digests import sha256_bytes
from builder.core.events import discard
from builder.inspect.inventory import encode_inventory
from builder.model.catalog import Mark, Publication, Settings, Sidecar
from builder.model.manifest import Inventory, InventoryPackage
from builder.publish.channel import Channel, describe_channel
from builder.publish.directory import DirectoryTarget
from builder.publish.layout import SETTINGS, sidecar_path
from builder.publish.publish import set_up
from builder.publish.render import encode_model, render_channel
from builder.publish.site.derive import Changes, Places, derive_site
from builder.publish.target import Target
from tests.unit.publish.catalogs import BASE, publication

Published = Mapping[str, Iterable[Publication]]
"""Channel -> what it offers."""


def with_packages(target: Target, one: Publication, packages: Mapping[str, str]) -> Publication:
    """`one` with an inventory beside its image that says `packages`."""
    data = encode_inventory(
        Inventory(
            image_sha256=one.image.sha256,
            packages=tuple(
                InventoryPackage(name=name, version=version, architecture=one.architecture)
                for name, version in packages.items()
            ),
            entries=(),
        )
    )
    digest = sha256_bytes(data)
    path = sidecar_path(one.flavor, one.version, one.architecture, "inventory", digest)
    target.put_bytes(path, data)
    side = Sidecar(kind="inventory", path=path, size=len(data), sha256=digest)
    return one.model_copy(update={"sidecars": (side,)})


def write_lists(
    target: Target, published: Published, marks: Mapping[str, tuple[Mark, ...]] | None = None
) -> None:
    """The lists of channels as publishing leaves them."""
    settings = Settings.model_validate_json(target.get(SETTINGS))
    for name, publications in published.items():
        state = Channel(
            name=name, settings=settings, publications=tuple(publications), marks=(marks or {}).get(name, ())
        )
        for file, data in render_channel(describe_channel(state), "").items():
            target.put_bytes(f"{name}/{file}", data)


def new_target(folder: Path, **settings: object) -> DirectoryTarget:
    """A catalog on disk that has `settings`."""
    folder.mkdir(parents=True, exist_ok=True)
    target = DirectoryTarget(folder)
    set_up(target, lambda _: Settings.model_validate({"base_url": BASE, **settings}))
    return target


def derive(target: Target, *channels: str, thorough: bool = False) -> Changes:
    """Bring the pages beside the catalog up to date."""
    places = Places(catalog=target, pages=target)
    return derive_site(places, channels, discard, thorough=thorough)


def write_large(target: Target, flavors: int, versions: int) -> None:
    """`flavors` of `versions` each, with inventories that have most of their packages in common."""
    target.put_bytes(SETTINGS, encode_model(Settings(base_url=BASE, title="WSL at a large company")))
    publications = []
    for number in range(flavors):
        flavor = f"team-{number:03}"
        for minor in range(versions):
            one = publication(
                f"2026.{minor // 4 + 1}.{minor % 4}", flavor=flavor,
                friendly_name=f"Development environment of team {number}",
                description="Debian with the compilers, debuggers and internal tools the team works with",
                details={"owner": f"Team {number}", "support": f"team-{number}@example.com",
                         "end_of_life": "2028-06-30", "changelog": f"https://example.com/team-{number}/changes"},
            )  # fmt: skip
            if minor == versions - 1:
                packages = {
                    f"package-{one}": f"1.{one % 7}-{number % 3}" for one in range(number, number + 300)
                }
                one_with = with_packages(target, one, packages)
                publications.append(one_with)
            else:
                publications.append(one)
    write_lists(target, {"stable": publications})
