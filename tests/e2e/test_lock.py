"""Locks over time: an archive of real packages, and one that comes in two versions, forty days apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pysequoia import Tsk

from builder.console import log_to
from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import Event, Note
from builder.pipeline.build import build_image
from builder.pipeline.locking import lock_recipe
from builder.pipeline.prepare import BuildOptions
from builder.resolve.lockfile import read_lock
from builder.sources.bootstrap import Bootstrap, fetch_bootstrap, resolve_bootstrap
from builder.sources.source import Supply
from tests.e2e.debian_archive import DATE, DAY, DebianArchive, FakePackage, RealPackage, serve_archive

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]

LATER = DATE + 40 * DAY
RECIPE = """\
schema: 1
name: dated
version: "1"
architectures: [amd64]
source:
  bootstrap: {suite: trixie, mirror: MIRROR, signed_by: keys/archive.asc, updates: false, security: false}
steps:
  - packages: [greeting]
first_run: {mode: none}
wsl: {systemd: false}
"""


@pytest.fixture(scope="module")
def real_packages(tmp_path_factory: pytest.TempPathFactory) -> list[RealPackage]:
    """What a minimal trixie consists of today."""
    supply = Supply(blobs=Blobs(tmp_path_factory.mktemp("blobs")))
    source = Bootstrap(suite="trixie")
    lock = resolve_bootstrap(source, "amd64", (), supply)
    fetch_bootstrap(source, lock, supply)
    return [
        RealPackage(name=each.name, path=each.path, file=supply.blobs.path(each.sha256))
        for each in lock.packages
    ]


def greeting(version: str) -> FakePackage:
    text = f"hello from {version}\n".encode()
    return FakePackage(name="greeting", version=version, files={"usr/share/greeting": (0o644, text)})


class World:
    """The archive in its first state, a recipe, and a cache of its own for each build."""

    def __init__(self, archive: DebianArchive, packages: list[RealPackage], folder: Path) -> None:
        self.archive = archive
        self.packages = packages
        self.folder = folder
        self.recipe = folder / "dated.yaml"
        self.recipe.write_text(RECIPE.replace("MIRROR", archive.url))
        (folder / "keys").mkdir()
        archive.write_key(folder / "keys/archive.asc")
        self.events: list[Event] = []
        self.publish("1.0", DATE)

    def publish(self, version: str, date: int, key: Tsk | None = None) -> None:
        packages = [*self.packages, greeting(version)]
        self.archive.publish(packages, date=date, valid_until=date + 7 * DAY, key=key)

    def options(self, cache: str, now: int, **more: bool) -> BuildOptions:
        return BuildOptions(
            out=self.folder / f"dist-{cache}", cache=self.folder / cache, clock=lambda: float(now), **more
        )

    def build(self, cache: str, now: int, **more: bool) -> str:
        """The digest of the image."""
        self.events.clear()
        result = build_image(self.recipe, self.options(cache, now, **more), self.events.append, log_to)
        digest = hashlib.sha256(result.image.read_bytes()).hexdigest()
        assert digest == result.manifest.image.sha256
        return digest

    def refusal(self, cache: str, now: int, **more: bool) -> str:
        with pytest.raises(ResolveError) as caught:
            self.build(cache, now, **more)
        assert not list((self.folder / f"dist-{cache}").glob("*.wsl"))
        return str(caught.value)

    def notes(self) -> str:
        return "\n".join(event.message for event in self.events if isinstance(event, Note))


@pytest.fixture
def world(
    real_packages: list[RealPackage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve_archive() as archive:
        yield World(archive, real_packages, tmp_path)


def test_a_locked_build_is_the_same_forty_days_later_while_the_old_state_is_there(world: World) -> None:
    first = world.build("one", DATE + DAY)
    lock = world.recipe.with_suffix(".lock").read_bytes()
    world.archive.asked.clear()
    assert world.build("two", LATER, locked=True) == first
    assert world.recipe.with_suffix(".lock").read_bytes() == lock
    assert not [path for path in world.archive.asked if "/dists/" in path]


def test_a_locked_build_names_the_package_that_the_archive_lost(world: World) -> None:
    lock_recipe(world.recipe, world.options("one", DATE + DAY), world.events.append)
    world.publish("2.0", LATER - DAY)
    message = world.refusal("two", LATER, locked=True)
    assert "the archive no longer has greeting 1.0" in message
    assert f"{world.archive.url}/pool/main/greeting_1.0_amd64.deb" in message
    for way_out in ("wslimg lock RECIPE --update", "snapshot", "wslimg fetch"):
        assert way_out in message


def test_an_unlocked_build_takes_the_new_state_and_says_so(world: World) -> None:
    first = world.build("one", DATE + DAY)
    assert "since" not in world.notes()
    world.publish("2.0", LATER - DAY)
    assert world.build("one", LATER) != first
    assert "1 change since" in world.notes()
    assert "  ~ greeting 1.0 -> 2.0" in world.notes()
    lock = read_lock(world.recipe.with_suffix(".lock"))
    assert [package.version for package in lock.architectures["amd64"].steps[0].packages] == ["2.0"]


def test_metadata_that_is_out_of_date_is_refused(world: World) -> None:
    message = world.refusal("one", LATER)
    assert "was valid until 2025-06-08 00:00 UTC; the clock says 2025-07-11 00:00 UTC" in message
    assert "snapshot" in message


def test_metadata_that_somebody_else_signed_is_refused(world: World) -> None:
    world.publish("1.0", DATE, key=Tsk.generate("Somebody Else <else@example.org>"))
    assert "is signed by keys that are not in the keyring" in world.refusal("one", DATE + DAY)


def test_metadata_that_was_altered_is_refused(world: World) -> None:
    path = "/debian/dists/trixie/InRelease"
    world.archive.files[path] = world.archive.files[path].replace(b"Origin: Test", b"Origin: Evil")
    assert "the signature is wrong" in world.refusal("one", DATE + DAY)
