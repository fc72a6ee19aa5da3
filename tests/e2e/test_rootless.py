"""An ordinary user makes the same bytes as root, and learns what is missing where that cannot be."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.e2e.conftest import ROOT, WSLIMG, Wslimg
from tests.e2e.ordinary_user import OrdinaryUser, new_user
from tests.e2e.tiny import BUSYBOX, Place, open_place

pytestmark = pytest.mark.system


@pytest.fixture
def user(root: None, tool) -> Iterator[OrdinaryUser]:
    tool("useradd", "usermod", "newuidmap", "setpriv")
    with new_user("rootless", subordinate_ids=True) as user:
        yield user


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def give_recipe(user: OrdinaryUser, folder: Path, *names: str) -> Path:
    """A copy of these files in a folder of the user's."""
    target = user.home / "recipe"
    target.mkdir()
    for name in names:
        shutil.copy(folder / name, target)
    user.own(target)
    return target


# What a user namespace could get wrong: owners, set-user-ID, capabilities, links, devices, deleted folders.
STEPS = (
    "mkdir /opt/a; echo x > /opt/a/b; chown 1000:65534 /opt/a /opt/a/b; chmod 4750 /opt/a/b",
    "rm -r /opt/a; mkdir -m 2775 /opt/a; cp /bin/busybox /opt/a/c; chown 7:8 /opt/a/c",
)

KEEPING = """\
  - run:
      command: cd /var/cache/tool; mkdir -m 700 own; echo x > own/file; chown -R 7:7 own
      caches: [/var/cache/tool]
"""


def test_root_and_an_ordinary_user_make_the_same_tiny_image(user: OrdinaryUser, tmp_path: Path) -> None:
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    with open_place(tmp_path) as place:
        place.build(place.write(steps=STEPS))
        folder = give_recipe(user, tmp_path, "tiny.yaml", "tiny.lock", "key.asc")
        around = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
        user.run(WSLIMG, "build", "tiny.yaml", "--locked", cwd=folder, env=around)
    assert digest(folder / "dist/tiny_1_amd64.wsl") == digest(place.dist / "tiny_1_amd64.wsl")


def test_looking_at_a_cache_before_the_first_build_and_emptying_it_after_is_fine(
    user: OrdinaryUser, tmp_path: Path
) -> None:
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    around = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
    with open_place(tmp_path) as place:
        place.write(steps=(), more=KEEPING)
        folder = give_recipe(user, tmp_path, "tiny.yaml", "key.asc")
        for command in ("doctor", "cache ls", "cache prune"):
            user.run(WSLIMG, *command.split(), cwd=folder, env=around)
        user.run(WSLIMG, "build", "tiny.yaml", cwd=folder, env=around)
        cache = Path(user.run(WSLIMG, "cache", "path").stdout.strip())
        assert list((cache / "caches").rglob("file")) != []
        assert user.run(WSLIMG, "cache", "prune", cwd=folder).stdout.startswith("freed ")
    assert list((cache / "layers").iterdir()) == []
    assert list((cache / "caches").rglob("file")) == []


def test_root_and_an_ordinary_user_make_the_same_debian(
    user: OrdinaryUser, wslimg: Wslimg, shared_cache: Path, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "recipes/debian-minimal.yaml", tmp_path)
    wslimg("build", "debian-minimal.yaml", cwd=tmp_path)
    folder = give_recipe(user, tmp_path, "debian-minimal.yaml", "debian-minimal.lock")
    uid = folder.stat().st_uid
    shutil.copytree(shared_cache / "uid-0" / "blobs", user.home / "cache" / f"uid-{uid}" / "blobs")
    user.own(user.home / "cache")
    user.run(WSLIMG, "build", "debian-minimal.yaml", "--locked", cwd=folder)
    (image,) = (folder / "dist").glob("*.wsl")
    assert digest(image) == digest(tmp_path / "dist" / image.name)
    assert image.stat().st_uid == uid


def test_by_chroot_alone_root_makes_the_same_image_and_is_warned(root: None, tool, tmp_path: Path) -> None:
    """In the place of a container that may neither mount nor have namespaces."""
    tool("setpriv")
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    denied = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
    with open_place(tmp_path) as place:
        place.build(place.write(steps=STEPS))
        apart = Place(folder=tmp_path, archive=place.archive, cache=tmp_path / "apart")
        for words, status in (((), 4), (("--isolation=chroot",), 0)):
            with apart.start(
                "build", "tiny.yaml", "--locked", "--out", "by-chroot", *words, prefix=denied
            ) as build:
                _, messages = build.communicate()
            assert build.returncode == status, messages
            assert ("warning: --isolation=chroot" in messages) == (status == 0)
            assert ("fix: " in messages and "--isolation=chroot" in messages) or status == 0
    assert digest(tmp_path / "by-chroot/tiny_1_amd64.wsl") == digest(place.dist / "tiny_1_amd64.wsl")
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_chroot_needs_root(user: OrdinaryUser, tmp_path: Path) -> None:
    with open_place(tmp_path) as place:
        place.write()
        folder = give_recipe(user, tmp_path, "tiny.yaml", "key.asc")
        done = user.run(WSLIMG, "build", "tiny.yaml", "--isolation=chroot", cwd=folder, status=2)
    assert "--isolation=chroot needs root\n  fix: build as root" in done.stderr


def test_a_user_without_subordinate_ids_is_told_how_to_get_them(root: None, tool, tmp_path: Path) -> None:
    tool("useradd", "setpriv")
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    with new_user("bare", subordinate_ids=False) as user, open_place(tmp_path) as place:
        place.write()
        folder = give_recipe(user, tmp_path, "tiny.yaml", "key.asc")
        for engine, status in (("sandbox", 2), ("auto", 4)):
            done = user.run(WSLIMG, "build", "tiny.yaml", "--engine", engine, cwd=folder, status=status)
            assert "has no range of 65536 ids" in done.stderr
            assert f"sudo usermod --add-subuids 100000-165535 {user.name}" in done.stderr
            assert "Traceback" not in done.stderr
