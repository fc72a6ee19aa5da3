"""Recipes without commands: the same bytes without root, namespaces or a daemon as with an engine."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.e2e.conftest import WSLIMG, Wslimg
from tests.e2e.ordinary_user import OrdinaryUser, new_user
from tests.e2e.rootfs import write_rootfs
from tests.e2e.tiny import BUSYBOX, SHELL

RECIPE = """\
schema: 1
name: quiet
version: "1"
source: {archive: rootfs.tar.gz}
steps:
  - overlay: overlay
  - files:
      /srv/way/notes: {content: "notes\\n", mode: "0640", owner: "1000:50"}
      /srv/su: {content: "new\\n"}
  - users:
      groups: {tools: {gid: 990}}
      accounts: {dev: {uid: 1000, groups: [tools], shell: /bin/sh}}
  - remove: [/srv/twice, "/opt/READ*"]
first_run: {mode: none}
wsl: {systemd: false, default_user: dev}
"""
# setpriv(1) drops root; what a locked-down container denies is denied before that.
LOCKED_DOWN = "import os, sys; from builder.sandbox.seccomp import install_filter; install_filter(); \
os.execvp(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the recipe and all that it names."""
    require(BUSYBOX.exists() and SHELL.exists(), "not installed: busybox-static, dash (tests/install-tools)")
    return fill(tmp_path)


def fill(folder: Path) -> Path:
    write_rootfs(folder / "rootfs.tar.gz")
    (folder / "quiet.yaml").write_text(RECIPE)
    (folder / "overlay/etc/skel").mkdir(parents=True)
    (folder / "overlay/etc/skel/.hello").write_text("hello\n")
    (folder / "overlay/srv/way").mkdir(parents=True)
    (folder / "overlay/srv/way/tool").write_text("#!/bin/sh\n")
    (folder / "overlay/srv/way/tool").chmod(0o755)
    return folder


def digest(image: Path) -> str:
    return hashlib.sha256(image.read_bytes()).hexdigest()


def build(wslimg: Wslimg, folder: Path, engine: str) -> str:
    out = folder / engine
    wslimg("build", folder / "quiet.yaml", "--engine", engine, "--out", out, cache=folder / f"cache-{engine}")
    return digest(out / "quiet_1_amd64.wsl")


@pytest.mark.system
def test_none_and_the_sandbox_make_the_same_bytes(root: None, wslimg: Wslimg, folder: Path) -> None:
    assert build(wslimg, folder, "none") == build(wslimg, folder, "sandbox") == build(wslimg, folder, "auto")
    listed = subprocess.run(
        ["bsdtar", "-tvf", folder / "none/quiet_1_amd64.wsl"], capture_output=True, text=True, check=True
    ).stdout
    assert "-rw-r-----  0 1000   50          6" in listed
    assert "./opt/README" not in listed and "dev/null" not in listed


@pytest.mark.system
def test_where_namespaces_are_denied_and_there_are_no_subordinate_ids_an_ordinary_user_builds(
    root: None, tool, wslimg: Wslimg, folder: Path, user: OrdinaryUser
) -> None:
    tool("bsdtar")
    home = user.home / "work"
    home.mkdir()
    fill(home)
    user.own(home)
    locked_down = [sys.executable, "-c", LOCKED_DOWN, "setpriv", "--reuid", user.name, "--regid", user.name]
    done = subprocess.run(
        [*locked_down, "--init-groups", "--inh-caps=-all", str(WSLIMG), "build", "quiet.yaml"],
        cwd=home,
        env={"HOME": str(user.home), "PATH": "/usr/bin:/bin", "WSLIMG_CACHE": str(user.home / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert digest(home / "dist/quiet_1_amd64.wsl") == build(wslimg, folder, "sandbox")


@pytest.fixture
def user(root: None, tool) -> Iterator[OrdinaryUser]:
    tool("useradd", "setpriv")
    with new_user("quiet", subordinate_ids=False) as user:
        yield user


def test_a_recipe_with_commands_names_them(wslimg: Wslimg, folder: Path) -> None:
    recipe = folder / "quiet.yaml"
    recipe.write_text(RECIPE.replace("  - overlay: overlay\n", "  - run: make it so\n"))
    done = wslimg("build", recipe, "--engine", "none", "--out", folder / "out", status=2)
    assert "--engine none runs no commands, but the recipe needs them for:" in done.stderr
    assert f"{recipe}:6:5: run: make it so" in done.stderr


def test_a_shell_wants_an_engine_with_containers(wslimg: Wslimg, folder: Path) -> None:
    done = wslimg("shell", folder / "quiet.yaml", "--engine", "none", cache=folder / "cache", status=2)
    assert "--engine none can open no shell" in done.stderr
