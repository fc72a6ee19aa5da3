"""The layers contract, read by a third party: import-linter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LINT = Path(sys.executable).parent / "lint-imports"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT), "--no-cache", "--config", str(folder / "pyproject.toml")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def copy_package(target: Path) -> Path:
    shutil.copytree(ROOT / "builder", target / "builder", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def test_the_package_keeps_its_layers(tmp_path: Path) -> None:
    done = lint(copy_package(tmp_path))
    assert done.returncode == 0, done.stdout


def test_an_import_upwards_is_noticed(tmp_path: Path) -> None:
    folder = copy_package(tmp_path)
    with (folder / "builder/core/digests.py").open("a") as file:
        file.write("\nimport builder.pipeline\n")
    done = lint(folder)
    assert done.returncode != 0
    assert "builder.core is not allowed to import builder.pipeline" in done.stdout


def test_a_stage_that_imports_its_sibling_is_noticed(tmp_path: Path) -> None:
    folder = copy_package(tmp_path)
    with (folder / "builder/pack/settings.py").open("a") as file:
        file.write("\nimport builder.check\n")
    assert "builder.pack is not allowed to import builder.check" in lint(folder).stdout


def test_a_package_outside_the_contract_is_noticed(tmp_path: Path) -> None:
    folder = copy_package(tmp_path)
    (folder / "builder/stray.py").write_text('"""A module that no layer names."""\n')
    done = lint(folder)
    assert done.returncode != 0
    assert "stray" in done.stdout
