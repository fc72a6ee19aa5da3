"""Throw-away users, and commands that they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import ROOT

_IDS = "800000-865535"


@dataclass(frozen=True, kw_only=True)
class OrdinaryUser:
    """A user without any privilege; everything in `home` is its own."""

    name: str
    home: Path

    def run(
        self, *words: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this user and check its exit status."""
        become = ["setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups", "--inh-caps=-all"]
        around = {**os.environ, "HOME": str(self.home), "USER": self.name, "PYTHONDONTWRITEBYTECODE": "1"}
        around.pop("XDG_CACHE_HOME", None)
        done = subprocess.run(
            [*become, *map(str, words)],
            cwd=cwd,
            env={**around, "WSLIMG_CACHE": str(self.home / "cache"), **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def own(self, path: Path) -> None:
        """Give `path` and everything below it to this user."""
        subprocess.run(["chown", "-R", f"{self.name}:{self.name}", path], check=True)


@contextmanager
def new_user(kind: str, *, subordinate_ids: bool) -> Iterator[OrdinaryUser]:
    """A user of this machine while the block lasts; needs root."""
    name = f"wslimg-{kind}-{os.getpid()}"
    home = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        # useradd gives ranges of its own where /etc/login.defs says so.
        ranges = ["--key", "SUB_UID_COUNT=0", "--key", "SUB_GID_COUNT=0"]
        subprocess.run(["useradd", *ranges, "--no-create-home", "--home-dir", home, name], check=True)
        if subordinate_ids:
            subprocess.run(["usermod", "--add-subuids", _IDS, "--add-subgids", _IDS, name], check=True)
        shutil.chown(home, name, name)
        yield OrdinaryUser(name=name, home=home)
    finally:
        shutil.rmtree(home)
        subprocess.run(["userdel", name], check=True)
