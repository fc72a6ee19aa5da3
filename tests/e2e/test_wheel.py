"""The wheel works alone: recipes and templates travel in it, and nothing of the checkout is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.system


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    """Runs a command without anything of this environment that could stand in for the wheel."""
    left_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out} | more
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in a new environment, with the versions of requirements.lock."""
    folder = tmp_path_factory.mktemp("installed")
    pins = re.findall(r"^[a-z0-9._-]+==\S+", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "constraints.txt").write_text("".join(f"{pin}\n" for pin in pins))
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    pip = (folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--constraint", "constraints.txt", wheel, cwd=folder)
    return folder / "venv/bin/wslimg"


def test_the_wheel_holds_recipes_and_templates_and_no_lock(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"builder/recipes/debian.yaml", "builder/recipes/recipe.schema.json", "builder/py.typed"} <= names
    assert "builder/templates/first-run/first-run.sh.j2" in names
    assert [name for name in names if name.endswith(".lock") or "/tests/" in name] == []


def test_an_installed_wheel_builds_a_shipped_recipe(root, installed, tmp_path, shared_cache):
    cache = {"WSLIMG_CACHE": str(shared_cache)}
    run(installed, "init", "--from", "debian-minimal", cwd=tmp_path)
    told = run(installed, "build", "debian-minimal.yaml", "--arch", "amd64", cwd=tmp_path, **cache)
    image = tmp_path / "dist/debian-minimal_13_amd64.wsl"
    assert "wsl --install --from-file" in told
    members = run("tar", "--list", "--file", image, cwd=tmp_path).splitlines()
    assert {"etc/wsl.conf", "usr/libexec/wsl/first-run", "usr/lib/wsl/icon.ico"} <= set(members)
    run(installed, "check", image, cwd=tmp_path)
