"""A build that is killed anywhere leaves nothing behind, and the next one makes the very same image."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from builder.core.errors import ExitCode
from tests.conftest import require
from tests.e2e.tiny import BUSYBOX, Place, open_place

pytestmark = pytest.mark.system

SEED = int(os.environ.get("WSLIMG_SEED", time.time_ns() % 10**6))
TOKEN = f"wslimg-robust-{os.getpid()}"

# wslimg that kills itself with SIGKILL in the middle of what it does: python -c SUICIDE EVENT PART -- WORDS.
# EVENT is one of Python's audit events (docs.python.org, "Audit events table"), PART is in its arguments.
SUICIDE = """
import os, signal, sys
event, part = sys.argv[1:3]
del sys.argv[1:4]
def hook(name, arguments):
    if name == event and part in repr(arguments):
        print("hit", name, arguments, file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
from builder.cli.main import run
run()
"""
# Where each stage is hit: the call, and what it is about.
MOMENTS = {
    "download": ("open", "/blobs/"),
    "unpack": ("os.mkdir", "b'opt'"),
    "unpack, a link": ("os.symlink", "usr/lib"),
    "step starts": ("subprocess.Popen", "launcher.py"),
    "store: record": ("os.link", "meta.json"),
    "store: publish": ("os.rename", ".part', '"),
    "pack: image": ("open", "'dist'"),
    "pack: cache": ("open", ".pack"),
    "inspect": ("open", "/uid-0/files'"),
    "inventory": ("os.link", "inventory.json.zst"),
    "manifest": ("os.link", "manifest.json"),
    "name": ("os.link", "tiny_1_amd64.wsl"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The archive, and the image that every build must make."""
    require(os.geteuid() == 0, "this test needs root")
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    with open_place(tmp_path_factory.mktemp("reference")) as place:
        place.build(place.write())
        yield place


@pytest.fixture
def fresh(place: Place, tmp_path: Path) -> Place:
    """The same recipe and lock, with an empty cache."""
    for name in ("tiny.yaml", "tiny.lock", "key.asc"):
        (tmp_path / name).write_bytes((place.folder / name).read_bytes())
    return Place(folder=tmp_path, archive=place.archive, cache=tmp_path / "cache", env={"TOKEN": TOKEN})


def digest(place: Place) -> str:
    return hashlib.sha256((place.dist / "tiny_1_amd64.wsl").read_bytes()).hexdigest()


def processes() -> list[str]:
    """Every process that a build of these tests started: its environment, or its arguments, say so."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if TOKEN.encode() in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes():
                found.append((folder / "cmdline").read_bytes().decode())
        except OSError:  # it has ended
            continue
    return found


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def assert_nothing_is_left(fresh: Place) -> None:
    """No process, no mount, and in the folder of images only whole and checked ones."""
    wait_until(lambda: not processes(), 5)
    assert str(fresh.folder) not in Path("/proc/self/mountinfo").read_text()
    names = {path.name for path in fresh.dist.iterdir()} if fresh.dist.exists() else set()
    whole = {f"tiny_1_amd64.{end}" for end in ("log", "wsl", "manifest.json", "inventory.json.zst")}
    assert names <= whole
    assert not (names & {"tiny_1_amd64.wsl"}) or "tiny_1_amd64.manifest.json" in names


def assert_the_next_build_succeeds(fresh: Place, place: Place) -> None:
    """It gives the same bytes, and sweeps up what the killed one left in the cache."""
    fresh.build(fresh.folder / "tiny.yaml", "--locked")
    assert digest(fresh) == digest(place)
    manifest = json.loads((fresh.dist / "tiny_1_amd64.manifest.json").read_text())
    assert manifest["image"]["sha256"] == digest(fresh)
    assert [path for path in fresh.cache.rglob("*.part") if "diff" not in path.parts] == []
    for folder in (fresh.cache / "uid-0" / "layers").iterdir():
        record = json.loads((folder / "meta.json").read_text())
        assert record["key"].startswith(folder.name) and record["chain"][-1] == record["key"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_9_in_every_stage_leaves_nothing(place: Place, fresh: Place, moment: str) -> None:
    event, part = MOMENTS[moment]
    words = [sys.executable, "-c", SUICIDE, event, part, "--", "build", "tiny.yaml", "--locked"]
    killed = subprocess.run(
        words, cwd=fresh.folder, env=fresh.environment(), capture_output=True, text=True, check=False
    )
    assert f"hit {event}" in killed.stderr
    assert killed.returncode == -signal.SIGKILL
    assert_nothing_is_left(fresh)
    assert not (fresh.dist / "tiny_1_amd64.wsl").exists()
    assert_the_next_build_succeeds(fresh, place)


# (title in front of the event that is waited for, longest delay after it in seconds)
STAGES = {
    "resolve": ('"StageStarted", "name": "resolve"', 0.05),
    "download": ('"label": "packages"', 0.02),
    "unpack": ('"title": "debian trixie"', 0.1),
    "configure": ('"title": "configure the base"', 0.1),
    "step": ('"data": "started', 0.4),
    "publish": ('"data": "started', 0.7),
    "pack": ('"StageStarted", "name": "pack"', 0.3),
    "check": ('"StageFinished", "name": "inspect"', 0.05),
}


def _start_and_reach(fresh: Place, stage: str, moment: random.Random) -> subprocess.Popen[str]:
    """A build that has got to `stage`, some time ago."""
    build = fresh.start("build", "tiny.yaml", "--locked", "--progress", "json")
    assert build.stderr is not None
    mark, longest = STAGES[stage]
    for line in build.stderr:
        if mark in line:
            break
    else:
        pytest.fail(f"the build never got to {stage}")
    time.sleep(moment.uniform(0, longest))
    return build


@pytest.mark.parametrize("stage", STAGES)
def test_kill_9_at_a_random_moment_of_a_stage_leaves_nothing(place: Place, fresh: Place, stage: str) -> None:
    print(f"WSLIMG_SEED={SEED}")
    with _start_and_reach(fresh, stage, random.Random(f"{SEED} {stage}")) as build:
        build.kill()
        build.communicate()
    assert_nothing_is_left(fresh)
    assert_the_next_build_succeeds(fresh, place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_ends_the_build_cleanly(
    place: Place, fresh: Place, stage: str, number: signal.Signals
) -> None:
    print(f"WSLIMG_SEED={SEED}")
    with _start_and_reach(fresh, stage, random.Random(f"{SEED} {stage} {number}")) as build:
        build.send_signal(number)
        _, messages = build.communicate(timeout=30)
    ended = (fresh.dist / "tiny_1_amd64.wsl").exists()  # before the signal came
    assert build.returncode == ExitCode.INTERRUPTED or ended, messages
    assert "Traceback" not in messages
    assert_nothing_is_left(fresh)
    assert [path for path in fresh.cache.rglob("*.part") if "diff" not in path.parts] == []


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *_descendants(child))]


@pytest.mark.parametrize("depth", [0, 1], ids=["launcher", "PID 1"])
def test_kill_9_of_a_helper_ends_the_build_with_one_clear_error(
    place: Place, fresh: Place, depth: int
) -> None:
    with _start_and_reach(fresh, "step", random.Random(SEED)) as build:
        os.kill(_descendants(build.pid)[depth], signal.SIGKILL)
        _, messages = build.communicate(timeout=30)
    assert build.returncode == ExitCode.EXECUTE, messages
    assert "ended with status 137" in messages and "Traceback" not in messages
    assert_nothing_is_left(fresh)
    assert_the_next_build_succeeds(fresh, place)


def test_kill_9_of_everything_at_once_leaves_nothing(place: Place, fresh: Place) -> None:
    with _start_and_reach(fresh, "step", random.Random(SEED)) as build:
        for pid in (build.pid, *_descendants(build.pid)):
            with suppress(ProcessLookupError):  # it went with its parent
                os.kill(pid, signal.SIGKILL)
        build.communicate()
    assert_nothing_is_left(fresh)
    assert_the_next_build_succeeds(fresh, place)
