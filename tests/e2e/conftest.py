"""Runs the command as a user would, with a cache of the test session's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WSLIMG = Path(sys.executable).parent / "wslimg"

Wslimg = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole session: what one test built another need not build again."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def wslimg(shared_cache: Path) -> Wslimg:
    """`wslimg(*arguments, cache=, env=, cwd=, umask=, status=)` runs the command and checks its status."""

    def run(
        *arguments: str | Path,
        cache: Path = shared_cache,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        umask: int = 0o022,
        status: int = 0,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(WSLIMG), *map(str, arguments)],
            env={**os.environ, "WSLIMG_CACHE": str(cache), **(env or {})},
            cwd=cwd,
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run
