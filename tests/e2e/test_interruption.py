"""A build that is stopped in the middle of a step or of packing leaves nothing half-made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.core.errors import ExitCode
from tests.e2e.conftest import WSLIMG

pytestmark = pytest.mark.system

RECIPE = """\
schema: 1
name: slow
version: "1"
source: {{debian: trixie}}
steps:
  - run: {command}
first_run: {{mode: none}}
wsl: {{systemd: false}}
"""


@contextmanager
def started(recipe: Path, cache: Path) -> Iterator[subprocess.Popen[str]]:
    """A running build of `recipe`; nothing of it outlives the block."""
    environment = {**os.environ, "WSLIMG_CACHE": str(cache)}
    build = subprocess.Popen(
        [WSLIMG, "build", recipe.name, "--engine", "sandbox", "--progress", "json"],
        cwd=recipe.parent,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield build
    finally:
        build.kill()
        build.communicate()


def write(folder: Path, command: str) -> Path:
    recipe = folder / "slow.yaml"
    recipe.write_text(RECIPE.format(command=command))
    return recipe


def wait_for(build: subprocess.Popen[str], **wanted: str) -> None:
    """Read events until one has all of `wanted`."""
    assert build.stderr is not None
    for line in build.stderr:
        event = json.loads(line) if line.startswith("{") else {}
        if wanted.items() <= event.items():
            return
    raise AssertionError("the build ended before that")


def interrupt(build: subprocess.Popen[str]) -> None:
    build.send_signal(signal.SIGINT)
    messages = build.communicate(timeout=60)[1]
    assert build.returncode == ExitCode.INTERRUPTED, messages
    assert "Traceback" not in messages


def running(marker: str) -> bool:
    return any(marker.encode() in command_line(path) for path in Path("/proc").glob("[0-9]*"))


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""  # it ended in between


def mounts_below(cache: Path) -> list[str]:
    return [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(cache) in line]


def test_a_step_that_is_interrupted_leaves_no_process_no_mount_and_no_layer(root, tmp_path, shared_cache):
    seconds = "86399.25"
    with started(write(tmp_path, f"exec sleep {seconds}"), shared_cache) as build:
        wait_for(build, title=f"run: exec sleep {seconds}", state="running")
        while not running(f"sleep\0{seconds}"):
            assert build.poll() is None
            time.sleep(0.02)
        interrupt(build)
    assert not running(f"sleep\0{seconds}")
    assert mounts_below(shared_cache) == []
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["slow_1_amd64.log"]


def test_packing_that_is_interrupted_leaves_no_image_and_the_next_build_makes_it(
    root, tmp_path, shared_cache, wslimg
):
    recipe = write(tmp_path, "head -c 400000000 /dev/urandom > /opt/noise")
    dist = tmp_path / "dist"
    with started(recipe, shared_cache) as build:
        wait_for(build, event="StageStarted", name="pack")
        time.sleep(0.5)  # packing these takes seconds
        interrupt(build)
    assert [path.name for path in dist.iterdir()] == ["slow_1_amd64.log"]
    done = wslimg("build", recipe.name, cwd=tmp_path)
    assert (dist / "slow_1_amd64.wsl").is_file()
    assert "head -c 400000000 /dev/urandom > /opt/noise  cached" in done.stderr
