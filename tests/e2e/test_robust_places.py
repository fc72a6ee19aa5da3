"""Builds side by side, full disks, dead mirrors, wrong clocks: each works, or says once what is wrong."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.core.errors import ExitCode
from tests.conftest import require
from tests.e2e.debian_archive import DAY
from tests.e2e.tiny import BUSYBOX, STEPS, Place, open_place, tiny_packages

pytestmark = pytest.mark.system


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    require(os.geteuid() == 0, "this test needs root")
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    with open_place(tmp_path) as place:
        yield place


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of `size` at `folder`."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def elsewhere(place: Place, cache: Path) -> Place:
    return Place(folder=place.folder, archive=place.archive, cache=cache, env=place.env)


def assert_one_error(messages: str, *parts: str) -> None:
    """One error with its fix, no traceback, and all of `parts` in it."""
    assert "Traceback" not in messages
    assert len(re.findall(r"^error: ", messages, re.MULTILINE)) == 1
    assert "\n  fix: " in messages
    error = messages[messages.index("error: ") :]
    assert not [part for part in parts if part not in error], error


def test_two_builds_of_one_recipe_share_the_work_and_both_succeed(place: Place) -> None:
    recipe = place.write(steps=("echo $$ >> /opt/once; echo working; sleep 1", *STEPS))
    builds = [
        place.start("build", recipe.name, "-v", "--out", name, "--progress", "plain") for name in ("a", "b")
    ]
    messages = [build.communicate(timeout=120)[1] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], messages
    assert sorted(text.count("      working\n") for text in messages) == [0, 1]
    assert digest(place.folder / "a/tiny_1_amd64.wsl") == digest(place.folder / "b/tiny_1_amd64.wsl")


def test_two_builds_into_one_folder_leave_one_whole_image(place: Place) -> None:
    recipe = place.write()
    builds = [place.start("build", recipe.name) for _ in range(2)]
    messages = [build.communicate(timeout=120)[1] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], messages
    assert sorted(path.suffix for path in place.dist.iterdir()) == [".json", ".log", ".wsl", ".zst"]
    manifest = (place.dist / "tiny_1_amd64.manifest.json").read_text()
    assert digest(place.dist / "tiny_1_amd64.wsl") in manifest


def test_two_recipes_at_once_share_the_base(place: Place) -> None:
    names = ("one", "two")
    recipes = [place.write(name, (f"echo {name} > /opt/name",)) for name in names]
    builds = [place.start("build", recipe.name) for recipe in recipes]
    messages = [build.communicate(timeout=120)[1] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], messages
    layers = list((place.cache / "uid-0" / "layers").iterdir())
    assert len(layers) == 2 + 2 * 2  # the base, configured; of each recipe its step and its settings


def test_too_little_room_for_the_cache_is_said_before_anything_is_unpacked(place: Place) -> None:
    recipe = place.write()
    with small_disk(place.folder / "disk", "50m") as disk:
        messages = elsewhere(place, disk).build(recipe, status=ExitCode.EXECUTE)
        assert_one_error(
            messages, str(disk), "MB are free where about", "MB are needed", "wslimg cache prune"
        )
        assert list((disk / "uid-0" / "layers").iterdir()) == []
    place.build(recipe)


def test_a_cache_that_fills_up_is_one_error_and_leaves_no_layer(place: Place) -> None:
    recipe = place.write(steps=("head -c 260000000 /dev/zero > /opt/zeros",))
    with small_disk(place.folder / "disk", "240m") as disk:
        messages = elsewhere(place, disk).build(recipe, status=ExitCode.EXECUTE)
        assert_one_error(messages, "No space left on device")
        assert not list((disk / "uid-0" / "layers").glob(".*"))


def test_too_little_room_for_the_image_is_said_before_it_is_packed(place: Place) -> None:
    recipe = place.write()
    with small_disk(place.folder / "disk", "200k") as disk:
        messages = place.build(recipe, "--out", disk, status=ExitCode.EXECUTE)
        assert_one_error(messages, str(disk), "kB are free where about", "--out")
        assert [path.suffix for path in disk.iterdir()] == [".log"]


def test_an_output_that_fills_up_is_one_error_and_leaves_no_image(place: Place) -> None:
    recipe = place.write(steps=("head -c 30000000 /dev/urandom > /opt/noise",))
    with small_disk(place.folder / "disk", "10m") as disk:
        messages = place.build(recipe, "--out", disk, status=ExitCode.EXECUTE)
        assert_one_error(messages, str(disk), "the image cannot be written: No space left on device")
        assert [path.suffix for path in disk.iterdir()] == [".log"]


@pytest.mark.parametrize("which", ["cache", "output"])
def test_a_folder_that_cannot_be_written_is_one_error(place: Place, which: str) -> None:
    recipe = place.write()
    with small_disk(place.folder / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        there = elsewhere(place, disk) if which == "cache" else place
        out = ("--out", disk / "dist") if which == "output" else ()
        messages = there.build(recipe, *out, status=ExitCode.USAGE)
    assert_one_error(messages, str(disk), "Read-only file system")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_mirror_that_refuses_connections_is_one_error(place: Place) -> None:
    recipe = place.write()
    mirror = f"http://127.0.0.1:{closed_port()}/debian"
    recipe.write_text(recipe.read_text().replace(place.archive.url, mirror))
    messages = place.build(recipe, status=ExitCode.RESOLVE)
    assert_one_error(messages, mirror, "Connection refused", "choose another mirror")


def test_a_mirror_that_dies_in_the_middle_is_one_error_and_what_came_is_kept(place: Place) -> None:
    recipe = place.write()
    cut = next(path for path in place.archive.files if "/busybox_" in path)
    place.archive.cut.add(cut)
    messages = place.build(recipe, status=ExitCode.RESOLVE)
    assert_one_error(messages, "/busybox_", "cannot be read after 4 attempts", "choose another mirror")
    place.archive.cut.clear()
    place.archive.asked.clear()
    place.build(recipe)
    assert [path for path in place.archive.asked if path.endswith(".deb")] == [cut]


def test_a_mirror_that_hangs_does_not_hold_up_an_interrupt(place: Place) -> None:
    recipe = place.write()
    with socket.create_server(("127.0.0.1", 0)) as server:
        mirror = f"http://127.0.0.1:{server.getsockname()[1]}/debian"
        recipe.write_text(recipe.read_text().replace(place.archive.url, mirror))
        with place.start("build", recipe.name) as build:
            hanging, _ = server.accept()
            begin = time.monotonic()
            build.terminate()
            with hanging:
                _, messages = build.communicate(timeout=30)
    assert (build.returncode, time.monotonic() - begin < 10) == (ExitCode.INTERRUPTED, True), messages


def test_a_file_that_changes_during_the_build_is_one_error_and_in_no_layer(place: Place) -> None:
    overlay = place.folder / "rootfs/opt"
    overlay.mkdir(parents=True)
    (overlay / "file").write_text("before")
    recipe = place.write(steps=("echo started; sleep 1",), more="  - overlay: rootfs/\n")
    with place.start("build", recipe.name, "--progress", "json") as build:
        assert build.stderr is not None
        while '"data": "started' not in build.stderr.readline():
            assert build.poll() is None
        (overlay / "file").write_text("AFTER!")
        _, messages = build.communicate(timeout=60)
    assert build.returncode == ExitCode.EXECUTE
    assert_one_error(messages, "overlay: rootfs/", str(overlay / "file"), "has changed since", "build again")
    assert "cached" in place.build(recipe)


def test_a_clock_that_is_far_behind_is_one_error_that_names_it(place: Place) -> None:
    recipe = place.write()
    place.archive.publish_all(tiny_packages(), date=int(time.time()) + 30 * DAY)
    messages = place.build(recipe, status=ExitCode.RESOLVE)
    assert_one_error(messages, "clock")


def test_layers_from_the_future_are_used_and_pruned_as_any_other(place: Place) -> None:
    recipe = place.write()
    place.build(recipe)
    for record in (place.cache / "uid-0" / "layers").glob("*/meta.json"):
        os.utime(record, (time.time() + 400 * DAY,) * 2)
    assert place.build(recipe).count("cached\n") == 5
    with place.start("cache", "prune") as prune:
        prune.communicate()
    assert list((place.cache / "uid-0" / "layers").iterdir()) == []
