"""What steps get besides the tree and leave behind: secrets, caches, and trees that a shell opens."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.core.errors import ExitCode
from tests.conftest import require
from tests.e2e.conftest import WSLIMG
from tests.e2e.tiny import BUSYBOX, Place, open_place

pytestmark = pytest.mark.system

SECRET = "correct horse battery staple"
WITH_SECRET = """\
  - run:
      command: read word < /run/secrets/token; echo ${#word} > /opt/length; echo said $word
      secrets: {token: keys/token}
"""
COUNTING = """\
  - run:
      command: echo run >> /var/cache/tool/runs; cp /var/cache/tool/runs /opt/runs
      caches: [/var/cache/tool]
"""
BROKEN = ("echo first > /opt/first", "echo left > /opt/left; exit 7")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    require(os.geteuid() == 0, "this test needs root")
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    with open_place(tmp_path) as place:
        yield place


def run(place: Place, *words: str | Path, stdin: str = "") -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    done = subprocess.run(
        [str(WSLIMG), *map(str, words)],
        cwd=place.folder,
        env=place.environment(),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def content(image: Path, path: str) -> str:
    done = subprocess.run(["tar", "-xOzf", image, path], capture_output=True, text=True, check=True)
    return done.stdout


def names(image: Path) -> set[str]:
    done = subprocess.run(["tar", "-tzf", image], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_a_secret_reaches_its_step_and_neither_image_nor_cache_nor_files_beside(place: Place) -> None:
    (place.folder / "keys").mkdir()
    (place.folder / "keys/token").write_text(SECRET + "\n")
    place.build(place.write(steps=(), more=WITH_SECRET.replace("; echo said $word", "")))
    image = place.dist / "tiny_1_amd64.wsl"
    assert content(image, "opt/length") == f"{len(SECRET)}\n"
    assert not {name for name in names(image) if "secrets" in name}
    searched = [place.cache, place.dist, place.folder / "tiny.lock"]
    found = subprocess.run(["grep", "-rlF", SECRET, *searched], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")


def test_a_secret_that_is_not_there_is_named_with_its_line(place: Place) -> None:
    messages = place.build(place.write(steps=(), more=WITH_SECRET), status=ExitCode.USAGE)
    assert re.search(r"tiny\.yaml:\d+:\d+: steps\[0\]\.run\.secrets\.token: .*keys/token", messages)


def test_another_secret_alone_runs_no_step(place: Place) -> None:
    (place.folder / "keys").mkdir()
    (place.folder / "keys/token").write_text("one\n")
    recipe = place.write(steps=(), more=WITH_SECRET)
    place.build(recipe)
    (place.folder / "keys/token").write_text("another\n")
    messages = place.build(recipe, "-v", "--progress", "plain")
    assert "said" not in messages


def test_a_cache_outlives_builds_and_is_in_no_image(place: Place) -> None:
    recipe = place.write(steps=(), more=COUNTING)
    image = place.dist / "tiny_1_amd64.wsl"
    place.build(recipe)
    assert content(image, "opt/runs") == "run\n"
    place.build(recipe, "--no-cache")
    assert content(image, "opt/runs") == "run\nrun\n"
    assert "var/cache/tool/runs" not in names(image)


def test_a_shell_sees_the_tree_after_an_operation_and_changes_none(place: Place) -> None:
    recipe = place.write(steps=("echo first > /opt/first", "echo second > /opt/second"))
    place.build(recipe)
    last = ("shell", recipe.name, "--", "sh", "-c")
    assert run(place, *last, "cat /opt/first /opt/second; rm /opt/first; exit 7")[:2] == (
        7,
        "first\nsecond\n",
    )
    assert run(place, *last, "cat /opt/first")[:2] == (0, "first\n")
    status, _, messages = run(place, "shell", recipe.name, "--at", "3", "cat", "/opt/first", "/opt/second")
    assert (status, "/opt/second" in messages) == (1, True)


def test_a_shell_follows_the_lock_whatever_the_archive_has_by_now(place: Place) -> None:
    recipe = place.write(steps=("echo first > /opt/first",))
    place.build(recipe)
    place.archive.publish_all([])
    assert run(place, "shell", recipe.name, "cat", "/opt/first")[:2] == (0, "first\n")


def test_a_shell_opens_what_the_failed_step_left(place: Place) -> None:
    recipe = place.write(steps=BROKEN)
    messages = place.build(recipe, status=ExitCode.EXECUTE)
    assert "`wslimg shell RECIPE --at failed`" in messages
    failed = ("shell", recipe.name, "--at", "failed")
    assert run(place, *failed, "cat", "/opt/left")[:2] == (0, "left\n")
    status, _, messages = run(place, "shell", recipe.name)
    assert (status, "has not been built" in messages) == (ExitCode.USAGE, True)


def test_a_shell_where_nothing_has_failed_says_so(place: Place) -> None:
    recipe = place.write(steps=("true",))
    failed = ("shell", recipe.name, "--at", "failed", "true")
    assert "no step of it has failed" in run(place, *failed)[2]
    place.build(recipe)
    status, _, messages = run(place, *failed)
    assert (status, "no step of it has failed" in messages) == (ExitCode.USAGE, True)


def test_the_debug_shell_opens_where_the_step_failed_and_the_build_still_fails(place: Place) -> None:
    recipe = place.write(steps=BROKEN)
    status, output, messages = run(
        place, "build", recipe.name, "--debug-shell", stdin="cat /opt/left; exit 0\n"
    )
    assert (status, output) == (ExitCode.EXECUTE, "left\n")
    assert "ended with status 7" in messages
