"""The images of the shipped recipes under our rules, Microsoft's, and on trial."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, WSLIMG, Wslimg

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]
RECIPES = ("debian", "debian-minimal")
TMPFILES = "/usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> dict[str, Path]:
    """The image of each recipe, from what the mirror has now, in a copy that has its own locks."""
    folder = tmp_path_factory.mktemp("shipped")
    shutil.copytree(ROOT / "recipes", folder / "recipes", ignore=shutil.ignore_patterns("*.lock"))
    environment = {**os.environ, "WSLIMG_CACHE": str(shared_cache)}
    made = {}
    for name in RECIPES:
        command = [str(WSLIMG), "build", f"recipes/{name}.yaml", "--engine", "sandbox", "--out", name]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (made[name],) = (folder / name).glob("*.wsl")
    return made


@pytest.mark.parametrize("name", RECIPES)
def test_no_rule_is_broken_and_none_is_disabled(images: dict[str, Path], name: str, wslimg: Wslimg) -> None:
    assert "disable" not in (ROOT / f"recipes/{name}.yaml").read_text()
    done = wslimg("check", "--strict", "--format", "json", images[name])
    assert json.loads(done.stdout) == {"ok": True, "findings": []}


@pytest.mark.parametrize("name", RECIPES)
def test_microsoft_finds_nothing_but_the_units_of_tmpfiles(
    images: dict[str, Path], name: str, wslimg: Wslimg
) -> None:
    done = wslimg("check", "--profile", "microsoft", "--format", "json", images[name])
    found = [(finding["rule"], finding["path"]) for finding in json.loads(done.stdout)["findings"]]
    # Its guide masks them, which breaks packages that rely on tmpfiles.d (microsoft/WSL#9126); it only warns.
    units = [f"{TMPFILES}{rest}.service" for rest in ("-dev-early", "-dev", "")]
    assert found == ([("MS23W", unit) for unit in units] if name == "debian" else [])


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_imported_set_up_and_used(images: dict[str, Path], name: str, wslimg: Wslimg) -> None:
    report = json.loads(wslimg("try", "--format", "json", "-q", images[name]).stdout)
    assert report["ok"] is True
    severe = [f for stage in report["stages"] for f in stage["findings"] if f["severity"] != "info"]
    assert severe == []
