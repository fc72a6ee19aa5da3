"""From a recipe to an image that WSL's own tar reader takes, the same bytes every time."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Wslimg

pytestmark = pytest.mark.system

STEM = "debian_13_amd64"
SMALL = """\
schema: 1
name: small
version: "1"
source: {debian: trixie}
steps:
  - run: echo before > /etc/before
  - overlay: rootfs/
  - run: cat /etc/hello > /etc/after
first_run: {mode: none}
wsl: {systemd: false}
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    """recipes/debian.yaml, built in a copy so that its lock is the test's own."""
    folder = tmp_path_factory.mktemp("debian")
    shutil.copy(ROOT / "recipes/debian.yaml", folder)
    command = [str(ROOT / ".venv/bin/wslimg"), "build", "debian.yaml", "--engine", "sandbox"]
    environment = {**os.environ, "WSLIMG_CACHE": str(shared_cache)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "dist" / f"{STEM}.wsl"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_small(folder: Path, text: str = "hello") -> Path:
    """A recipe with an overlay that holds a script and a file."""
    overlay = folder / "rootfs"
    (overlay / "etc").mkdir(parents=True)
    (overlay / "usr/local/bin").mkdir(parents=True)
    (overlay / "etc/hello").write_text(f"{text}\n")
    script = overlay / "usr/local/bin/greet"
    script.write_text("#!/bin/sh\ncat /etc/hello\n")
    script.chmod(0o755)
    recipe = folder / "small.yaml"
    recipe.write_text(SMALL)
    return recipe


def test_the_image_comes_with_manifest_and_inventory(root: None, image: Path) -> None:
    manifest = json.loads(image.with_name(f"{STEM}.manifest.json").read_text())
    assert manifest["schema"] == 1
    assert manifest["image"]["sha256"] == digest(image)
    assert manifest["image"]["size"] == image.stat().st_size
    with gzip.open(image) as archive:
        assert manifest["image"]["tar_sha256"] == hashlib.file_digest(archive, "sha256").hexdigest()
    assert re.fullmatch(r"gzip: deflate [\d.]+, level 5", manifest["image"]["compression"])
    listed = subprocess.run(
        ["zstd", "-dc", image.with_name(f"{STEM}.inventory.json.zst")], capture_output=True, check=True
    )
    inventory = json.loads(listed.stdout)
    assert inventory["image_sha256"] == digest(image)
    assert {"sudo", "systemd", "git"} <= {package["name"] for package in inventory["packages"]}
    assert (
        len(inventory["entries"]) == manifest["entries"] - 1
    )  # the root itself is no entry of the inventory


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_bsdtar_extracts_it_as_wsl_does(root: None, tool, image: Path, tmp_path: Path, locale: str) -> None:
    tool("bsdtar", "getcap")
    target = tmp_path / "tree"
    target.mkdir()
    command = ["bsdtar", "-C", target, "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-"]
    with image.open("rb") as stream:
        subprocess.run(command, stdin=stream, env={**os.environ, "LANG": locale}, check=True)
    status = target.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o755, 0, 0)
    sudo = (target / "usr/bin/sudo").stat()
    assert (stat.S_IMODE(sudo.st_mode), sudo.st_uid) == (0o4755, 0)
    capabilities = subprocess.run(
        ["getcap", target / "usr/bin/ping"], capture_output=True, text=True, check=True
    )
    assert "cap_net_raw" in capabilities.stdout
    assert not os.path.lexists(target / "etc/resolv.conf")
    assert (target / "etc/machine-id").read_bytes() == b""
    assert not list((target / "dev").iterdir())


def test_a_login_shell_runs_in_it(root: None, tool, image: Path, tmp_path: Path) -> None:
    tool("bsdtar", "systemd-nspawn")
    target = tmp_path / "tree"
    target.mkdir()
    subprocess.run(["bsdtar", "-C", target, "-x", "-p", "--xattrs", "-f", image], check=True)
    shell = ["/bin/bash", "-lc", "id -un && git --version && locale"]
    done = subprocess.run(
        ["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--pipe", "-D", target, *shell],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("root\ngit version")


def test_a_second_build_runs_nothing(root: None, image: Path, wslimg: Wslimg) -> None:
    before = digest(image)
    done = wslimg("build", "debian.yaml", "--engine", "sandbox", "--locked", cwd=image.parent.parent)
    steps = [line for line in done.stderr.splitlines() if line.startswith("  [")]
    assert steps
    assert all(line.endswith("cached") for line in steps)
    assert digest(image) == before


def test_the_same_lock_gives_the_same_bytes_without_the_cache(
    root: None, image: Path, wslimg: Wslimg, tmp_path: Path
) -> None:
    wslimg(
        *("build", "debian.yaml", "--locked", "--out", tmp_path / "again"),
        cache=tmp_path / "cache",
        cwd=image.parent.parent,
    )
    assert digest(tmp_path / "again" / image.name) == digest(image)


def test_a_changed_overlay_runs_that_step_and_those_after_it(
    root: None, wslimg: Wslimg, tmp_path: Path
) -> None:
    recipe = make_small(tmp_path)
    wslimg("build", recipe, "--out", tmp_path / "dist")
    (tmp_path / "rootfs/etc/hello").write_text("changed\n")
    planned = json.loads(wslimg("plan", recipe, "--locked", "--format", "json").stdout)
    cached = {operation["title"]: operation["cached"] for operation in planned["operations"]}
    assert cached["run: echo before > /etc/before"]
    assert not cached["overlay: rootfs/"]
    assert not cached["run: cat /etc/hello > /etc/after"]
    changes = {operation["title"]: operation["change"] for operation in planned["operations"]}
    assert "/etc/hello" in changes["overlay: rootfs/"]
    done = wslimg("build", recipe, "--locked", "--out", tmp_path / "dist")
    ran = [line for line in done.stderr.splitlines() if line.startswith("  [") and "cached" not in line]
    assert not [line for line in ran if "before" in line]
    assert [line for line in ran if "overlay" in line]


def test_the_bytes_do_not_depend_on_the_checkout(root: None, wslimg: Wslimg, tmp_path: Path) -> None:
    first = make_small(tmp_path / "first")
    wslimg("build", first, "--out", tmp_path / "a")
    umask = os.umask(0o077)
    try:
        second = make_small(tmp_path / "other" / "place")
    finally:
        os.umask(umask)
    for path in second.parent.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700 if path.is_dir() or path.stat().st_mode & 0o100 else 0o600)
    shutil.copy(first.with_suffix(".lock"), second.with_suffix(".lock"))
    elsewhere = {"TZ": "Pacific/Auckland", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    wslimg(
        "build",
        "small.yaml",
        "--locked",
        "--out",
        tmp_path / "b",
        cwd=second.parent,
        env=elsewhere,
        umask=0o077,
    )
    third = make_small(tmp_path / "third")
    for path in third.parent.rglob("*"):
        if path.is_dir() or path.name == "greet":
            path.chmod(0o777)
    (third.parent / "rootfs/etc/hello").chmod(0o666)
    shutil.copy(first.with_suffix(".lock"), third.with_suffix(".lock"))
    wslimg(
        "build",
        third,
        "--locked",
        "--out",
        tmp_path / "c",
        cache=tmp_path / "cache",
        env={"TZ": "UTC", "LANG": "C"},
    )
    images = {digest(tmp_path / name / "small_1_amd64.wsl") for name in "abc"}
    assert len(images) == 1


def test_a_failing_step_names_its_line_status_and_last_words(
    root: None, wslimg: Wslimg, tmp_path: Path
) -> None:
    recipe = tmp_path / "failing.yaml"
    recipe.write_text(
        "schema: 1\nname: failing\nversion: 1\nsource: {debian: trixie}\n"
        "steps:\n  - run: |\n      echo almost there\n      exit 7\n"
    )
    done = wslimg("build", recipe, "--out", tmp_path / "dist", status=4)
    assert f"{recipe}:6:5" in done.stderr
    assert "status 7" in done.stderr
    assert "| almost there" in done.stderr
    assert not list((tmp_path / "dist").glob("*.wsl"))
