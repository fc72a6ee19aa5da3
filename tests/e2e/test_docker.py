"""Builds on a Docker engine of the tests' own."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.conformance.dockerd import running_dockerd
from tests.e2e.conftest import ROOT, Wslimg

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]


def test_docker_and_the_sandbox_make_the_same_debian(
    tool, wslimg: Wslimg, shared_cache: Path, tmp_path: Path
) -> None:
    tool("dockerd", "runc", "ip")
    shutil.copy(ROOT / "recipes/debian-minimal.yaml", tmp_path)
    wslimg("lock", "debian-minimal.yaml", "--arch", "amd64", cwd=tmp_path)
    words = ("build", "debian-minimal.yaml", "--locked", "--out")
    with running_dockerd() as address:
        env = {"DOCKER_HOST": address}
        wslimg(*words, "docker", env=env, cwd=tmp_path)  # which DOCKER_HOST chooses
        again = wslimg(*words, "again", "--engine", "docker", env=env, cwd=tmp_path)
    wslimg(*words, "sandbox", "--engine", "sandbox", cwd=tmp_path)
    (made,) = (tmp_path / "docker").glob("*.wsl")
    images = [tmp_path / out / made.name for out in ("docker", "again", "sandbox")]
    assert len({hashlib.sha256(image.read_bytes()).hexdigest() for image in images}) == 1
    steps = [line for line in again.stderr.splitlines() if line.startswith("  [")]
    assert steps and all(line.endswith("cached") for line in steps)
