"""Runs the suite once more where not even mounts are allowed, on the engine that only changes the root."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

# What cannot be had without /proc, /sys and mounts; docs/how-to/rootless.md says so.
LOST = (
    "test_an_ordinary_user_can_open_its_standard_streams_by_name",
    "test_what_a_command_may_do_is_what_docker_allows",
    "test_setuid_programs_work",
    "test_without_a_network_there_is_only_loopback",
    "test_caches_persist_from_step_to_step_outside_of_the_image",
)


def test_the_suite_passes_without_the_right_to_mount(root, tool):
    tool("setpriv")
    words = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", sys.executable, "-m", "pytest"]
    chosen = f"chroot and not ({' or '.join(LOST)})"
    result = subprocess.run(
        [*words, "-q", "-p", "no:cacheprovider", "tests/conformance/test_engine.py", "-k", chosen],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    assert "passed" in result.stdout and "skipped" not in result.stdout
