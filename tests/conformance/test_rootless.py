"""Runs the suite once more as an ordinary user, on the engine inside a user namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

USER = f"wslimg-test-{os.getpid()}"  # several runs may share a machine
_IDS = "700000-765535"
ENGINES = [f"tests/conformance/test_{name}.py" for name in ("engine", "none", "sandbox", "tree")]


@pytest.fixture
def ordinary_user(root, tool):
    """A throw-away user with subordinate ids and a home directory."""
    tool("useradd", "usermod", "newuidmap", "setpriv")
    home = tempfile.mkdtemp(prefix=f"{USER}-")
    try:
        subprocess.run(["useradd", "--no-create-home", "--home-dir", home, USER], check=True)
        subprocess.run(["usermod", "--add-subuids", _IDS, "--add-subgids", _IDS, USER], check=True)
        shutil.chown(home, USER, USER)
        yield home
    finally:
        shutil.rmtree(home)
        subprocess.run(["userdel", USER], check=True)


def test_the_suite_passes_as_an_ordinary_user(ordinary_user):
    words = ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "--inh-caps=-all"]
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ENGINES]
    environment = {**os.environ, "HOME": ordinary_user, "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [
            *words,
            *suite,
            f"--basetemp={ordinary_user}/tests",
        ],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    assert "skipped" not in result.stdout
