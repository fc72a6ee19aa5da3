"""The life of releases on a real web server: what each list says, and what never changes."""

from __future__ import annotations

import hashlib
import os
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.wsl.lists import Version
from tests.conformance.web_servers import free_port, nginx_server
from tests.e2e.client import Client, fetch, read_list
from tests.e2e.conftest import Wslimg
from tests.e2e.test_publish import make_image

pytestmark = pytest.mark.system
MONTH = 30 * 86400


class Site:
    """A catalog on nginx, everything that was ever offered at an address, and `wslimg` on it."""

    def __init__(self, base: str, root: Path, run: Wslimg) -> None:
        self.base, self.root, self._run = base, root, run
        self._seen: dict[str, str] = {}

    def act(self, *arguments: str | Path) -> str:
        """Run the command and look whether all that it left is right."""
        done = self._run(*arguments).stdout
        offered = self._look()
        gone = {url for url, digest in self._seen.items() if digest_of(url) not in (digest, "")}
        assert not gone, "an address has other bytes"
        assert all(digest_of(url) == digest for url, digest in offered.items()), "an image is missing"
        self._seen |= offered
        self._run("catalog", "verify", self.base)
        return done

    def names(self, channel: str = "stable") -> list[str]:
        """`NAME`, for the flavor's own name `NAME -> version`, with what the title says of deprecation."""
        whole = read_list(f"{self.base}/{channel}/DistributionInfo.json")
        return [describe(version) for flavor in whole.flavors for version in flavor.versions]

    def deleted(self) -> list[str]:
        """The versions whose images were offered once and are gone."""
        return sorted({url.split("/")[-2] for url in self._seen if not digest_of(url)})

    def age(self, folder: str) -> None:
        """As if all there had been written a month ago."""
        for path in (self.root / folder).rglob("*"):
            os.utime(path, (path.stat().st_mtime - MONTH,) * 2)

    def _look(self) -> dict[str, str]:
        """Every address in every list, with its digest."""
        lists = [
            read_list(f"{self.base}/{path.relative_to(self.root)}") for path in self.root.glob("*/Dist*.json")
        ]
        return {
            archive.url: archive.sha256.removeprefix("0x")
            for one in lists
            for flavor in one.flavors
            for version in flavor.versions
            if (archive := version.amd64)
        }


def digest_of(url: str) -> str:
    """The digest of what is there now, "" for nothing."""
    try:
        return hashlib.sha256(fetch(url, {})).hexdigest()
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return ""


def describe(version: Version) -> str:
    assert version.amd64
    note = version.friendly_name.partition(" (")[2].removesuffix(")")
    moving = "-" not in version.name
    name = f"{version.name} -> {version.amd64.url.split('/')[-2]}" if moving else version.name
    return f"{name}: {note}" if note else name


@pytest.fixture
def site(root: None, tool: Callable[..., None], wslimg: Wslimg, tmp_path: Path) -> Iterator[Site]:
    tool("nginx")
    (tmp_path / "root").mkdir()
    with nginx_server(tmp_path / "root", tmp_path / "nginx", free_port()) as base:
        yield Site(base, tmp_path / "root", wslimg)


def test_a_release_from_publication_to_its_last_byte(site: Site, tmp_path: Path) -> None:
    images = [make_image(tmp_path, version) for version in ("1", "2", "3")]
    for image in images:
        site.act("publish", image, "--to", site.base, "--base-url", site.base, "--channel", "beta")
    assert site.names("beta") == ["dev -> 3", "dev-3", "dev-2", "dev-1"]

    site.act("catalog", "promote", site.base, "dev@1", "--from", "beta", "--to", "stable")
    assert site.names() == ["dev -> 1", "dev-1"]
    site.act("catalog", "promote", site.base, "dev@2", "--from", "beta", "--to", "stable")
    site.act("catalog", "promote", site.base, "dev", "--from", "beta", "--to", "stable")
    assert site.names() == ["dev -> 3", "dev-3", "dev-2", "dev-1"]

    site.act("catalog", "rollback", site.base, "dev")
    assert site.names() == ["dev -> 2", "dev-2", "dev-1"]
    assert site.names("beta") == ["dev -> 3", "dev-3", "dev-2", "dev-1"]

    site.act("catalog", "deprecate", site.base, "dev@1", "--use", "dev")
    assert site.names() == ["dev -> 2", "dev-2", "dev-1: deprecated, use dev"]

    site.act("catalog", "prune", site.base, "--keep", "1", "--delete")
    assert site.names() == ["dev -> 2", "dev-2"] and site.names("beta") == ["dev -> 3", "dev-3"]
    assert site.deleted() == [], "who just read a list may be downloading"
    site.age("images")
    site.age("retired")
    assert "1-amd64" in site.act("catalog", "prune", site.base, "--keep", "1")
    assert site.deleted() == []
    site.act("catalog", "prune", site.base, "--keep", "1", "--delete")
    assert site.deleted() == ["1"], "2 is offered in stable, 3 in beta"

    site.act("catalog", "promote", site.base, "dev@3", "--from", "stable", "--to", "stable")
    assert site.names() == ["dev -> 3", "dev-3", "dev-2"]
    image = Client(url=f"{site.base}/stable/DistributionInfo.json").install("dev", tmp_path)
    assert image.read_bytes() == images[2].read_bytes()
