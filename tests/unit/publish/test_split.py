"""A catalog whose lists are in another place than its images."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.core.errors import PublishError, UsageError
from builder.core.events import discard
from builder.model.catalog import Settings
from builder.pipeline.publishing import PublishOptions, settle
from builder.pipeline.titles import Titles
from builder.publish.directory import DirectoryTarget
from builder.publish.export import export
from builder.publish.move import promote, roll_back
from builder.publish.places import open_catalog, place_lists
from builder.publish.publish import set_up
from builder.publish.read import read_document
from builder.publish.retain import Rules, prune
from builder.publish.split import SplitTarget
from builder.publish.target import Target
from builder.publish.verify import verify_catalog
from builder.wsl.lists import parse_list
from tests.unit.publish.catalogs import BASE, add, catalog

IMAGES = "https://store.example.com/bucket"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    split = open_catalog(str(tmp_path / "images"), str(tmp_path / "lists"), create=True)
    set_up(split, lambda before: before or place_lists(Settings(base_url=BASE), split, IMAGES))
    return split


def addresses(target: Target, channel: str = "stable") -> list[str]:
    whole = parse_list(target.get(f"{channel}/DistributionInfo.json"), local=True)
    return [one.amd64.url for flavor in whole.flavors for one in flavor.versions if one.amd64]


def settings_for(target: Target, before: Settings | None, *, base: str = "", images: str = "") -> Settings:
    options = PublishOptions(channel="stable", titles=Titles(), now=0, base_url=base, images_url=images)
    return settle(before, options, target)


def test_lists_are_here_and_what_they_are_made_from_is_there(target: Target, tmp_path: Path) -> None:
    add(target, "1", folder=tmp_path)
    folders = {name: {path.name for path in (tmp_path / name).iterdir()} for name in ("images", "lists")}
    assert folders["images"] == {"images", "entries", "audit", "settings.json"}
    assert folders["lists"] == {"stable", "catalog.schema.json"}
    assert all(url.startswith(f"{IMAGES}/images/dev/1/") for url in addresses(target))
    assert len(target.list("")) == sum(path.is_file() for path in tmp_path.glob("[il]*/**/*"))
    assert read_document(DirectoryTarget(tmp_path / "lists"), "stable").images_url == IMAGES


def test_every_change_of_a_catalog_finds_its_lists(target: Target, tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        add(target, version, to="beta", folder=tmp_path)
    promote(target, "dev", "2", "beta", "stable", None, discard)
    promote(target, "dev", "3", "beta", "stable", None, discard)
    assert "/3/" in addresses(target)[0]
    roll_back(target, "dev", "stable", "", None)
    assert "/2/" in addresses(target)[0]
    prune(target, Rules(keep=1, grace=0), None)
    assert len(addresses(target, "beta")) == 2
    assert verify_catalog(target, (), "", discard, content=True) == ()


def test_a_digest_may_be_the_address(tmp_path: Path) -> None:
    url = "https://registry.example.com/v2/wsl/blobs/sha256:{sha256}"
    split = open_catalog(str(tmp_path / "images"), str(tmp_path / "lists"), create=True)
    set_up(split, lambda before: before or place_lists(Settings(base_url=BASE), split, url))
    add(split, "1", folder=tmp_path)
    whole = parse_list(split.get("stable/DistributionInfo.json"), local=True)
    archive = whole.flavors[0].versions[0].amd64
    assert archive and archive.url == url.replace("{sha256}", archive.sha256.removeprefix("0x"))


def test_who_forgets_where_the_lists_are_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    split = open_catalog("images", "lists", create=True)
    set_up(split, lambda before: before or place_lists(Settings(base_url=BASE), split, IMAGES))
    with pytest.raises(UsageError, match=f"the lists of the catalog are at {tmp_path}/lists") as caught:
        open_catalog(str(tmp_path / "images"))
    assert "--index-to" in caught.value.fix


def test_lists_of_a_registry_have_to_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split = open_catalog("oci://registry.example.com/wsl", str(tmp_path / "lists"), create=True)
    assert isinstance(split, SplitTarget)
    made = settings_for(split, None, base=BASE)
    assert made.images_url == "https://registry.example.com/v2/wsl/blobs/sha256:{sha256}"
    assert made.lists_at == str(tmp_path / "lists")


def test_images_need_an_address_that_nothing_tells(tmp_path: Path) -> None:
    split = open_catalog(str(tmp_path / "images"), str(tmp_path / "lists"), create=True)
    with pytest.raises(UsageError, match="have to say where Windows downloads the images") as caught:
        settings_for(split, None, base=BASE)
    assert "--images-url" in caught.value.fix
    with pytest.raises(UsageError, match="is no https://"):
        set_up(split, lambda before: before or place_lists(Settings(base_url=BASE), split, "ftp://x/y"))


def test_images_on_a_web_server_are_downloaded_from_it(tmp_path: Path) -> None:
    split = open_catalog("https://ci:secret@store.example.com/wsl/", str(tmp_path), create=True)
    made = settings_for(split, None, base=BASE)
    assert made.images_url.rstrip("/") == "https://store.example.com/wsl"


@pytest.mark.parametrize(
    ("base", "images", "reason"),
    [
        ("https://other.example.com", "", "not for https://other.example.com"),
        ("", "https://other.example.com", "is for https://store.example.com/bucket, not for"),
    ],
)
def test_publishing_changes_no_addresses(target: Target, base: str, images: str, reason: str) -> None:
    before = place_lists(Settings(base_url=BASE), target, IMAGES)
    assert settings_for(target, before, base=BASE, images=f"{IMAGES}/") == before
    with pytest.raises(PublishError, match=reason) as caught:
        settings_for(target, before, base=base, images=images)
    assert "wslimg catalog init TARGET" in caught.value.fix


def test_publishing_moves_no_lists(target: Target) -> None:
    with pytest.raises(PublishError, match="has its lists beside the images") as caught:
        settings_for(target, Settings(base_url=BASE), images="")
    assert "init TARGET --index-to" in caught.value.fix


def test_a_mirror_may_be_in_two_places_too(tmp_path: Path) -> None:
    origin = catalog(tmp_path / "origin")
    add(origin, "1", folder=tmp_path)
    mirror = open_catalog(str(tmp_path / "images"), str(tmp_path / "lists"), create=True)
    for images_url in (IMAGES, ""):
        export(origin, mirror, "stable", BASE, None, discard, images_url=images_url)
        assert all(url.startswith(IMAGES) for url in addresses(mirror))
    back = open_catalog(str(tmp_path / "back"), create=True)
    export(mirror, back, "stable", BASE, None, discard)
    assert all(url.startswith(BASE) for url in addresses(back))
