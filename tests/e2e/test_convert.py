"""From what somebody has to a checked image, without a recipe, an engine or root."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import require
from tests.e2e.conftest import Wslimg
from tests.e2e.rootfs import write_rootfs
from tests.e2e.tiny import BUSYBOX, SHELL
from tests.unit.sources.oci.layers import file, folder, make_tar, symlink
from tests.unit.sources.oci.registries import Content
from tests.unit.sources.test_image import write_layout


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    require(BUSYBOX.exists() and SHELL.exists(), "not installed: busybox-static, dash (tests/install-tools)")
    return write_rootfs(tmp_path / "Tiny Root.tar.gz")


@pytest.fixture
def layout(tmp_path: Path, rootfs: Path) -> Path:
    """An image in OCI layout that runs as an account of its own, with an account tool and systemd."""
    subprocess.run(["gzip", "-dk", rootfs], check=True)
    passwd = b"root:x:0:0::/root:/bin/sh\napp:x:1000:50::/srv:/bin/sh\n"
    upper = make_tar(
        [
            file("etc/passwd", passwd),
            file("usr/sbin/useradd", b"#!/bin/sh\n", mode=0o755),
            folder("usr/lib/systemd"),
            file("usr/lib/systemd/systemd", b"#!/bin/sh\n", mode=0o755),
            file("usr/sbin/init", b"#!/bin/sh\n", mode=0o755),
            symlink("sbin", "usr/sbin"),
        ]
    )
    content = Content()
    config = {"User": "1000", "Env": ["GREETING=hello"], "Cmd": ["serve"]}
    content.image(rootfs.with_suffix("").read_bytes(), upper, config=config, tag="v1")
    return write_layout(tmp_path / "oci", content, "v1")


def read(image: Path, name: str) -> str:
    with tarfile.open(image) as tar:
        member = tar.extractfile(name)
        assert member is not None
        return member.read().decode()


def test_an_archive_becomes_a_checked_image(wslimg: Wslimg, rootfs: Path, tmp_path: Path) -> None:
    done = wslimg("convert", rootfs, "--out", tmp_path / "out")
    image = tmp_path / "out/tiny-root_13_amd64.wsl"
    assert "defaultName = tiny-root" in read(image, "etc/wsl-distribution.conf")
    assert "systemd" not in read(image, "etc/wsl.conf")
    assert "sessions are root's: there is neither useradd nor adduser" in done.stderr
    manifest = json.loads(image.with_name("tiny-root_13_amd64.manifest.json").read_text())
    assert (manifest["version"], manifest["systemd"]) == ("13", False)


def test_the_recipe_that_is_kept_builds_the_same_image(wslimg: Wslimg, rootfs: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "kept/tiny.yaml"
    wslimg("convert", rootfs, "-o", tmp_path / "a/one.wsl", "--recipe", recipe, "--name", "tiny")
    wslimg("build", recipe, "--locked", "--out", tmp_path / "b")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["one.wsl"]
    assert (tmp_path / "a/one.wsl").read_bytes() == (tmp_path / "b/tiny_13_amd64.wsl").read_bytes()
    again = wslimg("convert", rootfs, "--recipe", recipe, status=2)
    assert f"{recipe}: is there already" in again.stderr


def test_an_image_brings_its_user_its_environment_and_systemd(
    wslimg: Wslimg, layout: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "app.yaml"
    done = wslimg("convert", layout, "-o", tmp_path / "app.wsl", "--name", "app", "--recipe", recipe)
    assert "default = app" in read(tmp_path / "app.wsl", "etc/wsl.conf")
    assert "systemd = true" in read(tmp_path / "app.wsl", "etc/wsl.conf")
    assert "export GREETING='hello'" in read(tmp_path / "app.wsl", "etc/profile.d/00-image-env.sh")
    assert "CMD serve has no effect: start it with wsl.boot_command" in done.stderr
    locked = wslimg("build", recipe, "--locked", "--out", tmp_path / "out")
    assert "CMD serve has no effect" in locked.stderr


def test_users_of_images_are_the_users_of_sessions_where_a_recipe_leaves_it_open(
    wslimg: Wslimg, layout: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "open.yaml"
    text = 'schema: 1\nname: open\nversion: "1"\nsource: {image: {layout: oci}}\nfirst_run: none\n'
    recipe.write_text(text)
    wslimg("build", recipe, "--out", tmp_path / "out")
    assert "default = app" in read(tmp_path / "out/open_1_amd64.wsl", "etc/wsl.conf")
    recipe.write_text(text.replace("none", "prompt"))
    wslimg("build", recipe, "--out", tmp_path / "out")
    assert "default =" not in read(tmp_path / "out/open_1_amd64.wsl", "etc/wsl.conf")


def test_a_saved_image_a_folder_and_an_image_of_wsl_are_told_apart(
    wslimg: Wslimg, layout: Path, rootfs: Path, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "saved.oci.tar", "w") as tar:
        tar.add(layout, ".")
    unpacked = tmp_path / "unpacked"
    with tarfile.open(rootfs) as tar:
        tar.extractall(unpacked, members=[each for each in tar if not each.isdev()])
    wslimg("convert", tmp_path / "saved.oci.tar", "-o", tmp_path / "1.wsl")
    wslimg("convert", unpacked, "-o", tmp_path / "2.wsl")
    done = wslimg("convert", tmp_path / "2.wsl", "-o", tmp_path / "3.wsl", "--name", "third")
    assert "default = app" in read(tmp_path / "1.wsl", "etc/wsl.conf")
    assert "defaultName = unpacked" in read(tmp_path / "2.wsl", "etc/wsl-distribution.conf")
    assert "defaultName = third" in read(tmp_path / "3.wsl", "etc/wsl-distribution.conf")
    assert "/etc/wsl.conf and /etc/wsl-distribution.conf of" in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("nothing.tar",), 2, "nothing.tar: does not exist\n  fix: name a file, a folder, or an image as"),
        (("Dockerfile",), 4, "this needs a container engine, and none answers: unix:///nobody: the engine"),
        (("Debian",), 3, "Debian: is no name of an image"),
        (("notes.txt",), 3, "notes.txt"),
        (("Tiny Root.tar.gz", "--name", "Bad"), 2, "'Bad' is no name for an image, expected lower-case"),
        (("Tiny Root.tar.gz", "--version", "_"), 2, "'_' is no version, expected letters, digits"),
        (("127.0.0.1:1/base:1",), 3, "127.0.0.1:1"),
    ],
)
def test_what_cannot_be_converted_says_why(
    wslimg: Wslimg, rootfs: Path, tmp_path: Path, words: tuple[str, ...], status: int, message: str
) -> None:
    (tmp_path / "Dockerfile").write_text("# syntax\nARG BASE=debian\nFROM $BASE\n")
    (tmp_path / "notes.txt").write_text("no archive\n")
    env = {"DOCKER_HOST": "unix:///nobody"}
    done = wslimg("convert", *words, "--out", tmp_path / "out", cwd=tmp_path, env=env, status=status)
    assert message in done.stderr
    assert not list((tmp_path / "out").glob("*.wsl"))


MEASURED = """
import os, re, sys
from pathlib import Path
import builder.cli.main as main

def leave(code):
    print(code, re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
    sys.stdout.flush()
    exit_now(code)

exit_now, os._exit = os._exit, leave
main.run()
"""


def test_memory_does_not_grow_with_the_content(tmp_path: Path, rootfs: Path) -> None:
    peaks = []
    for megabytes in (16, 512):
        big = tmp_path / f"{megabytes}.tar"
        subprocess.run(["sh", "-c", f"gzip -dc '{rootfs}' > {big}"], check=True)
        with tarfile.open(big, "a") as tar:
            for index in range(megabytes // 8):
                member = tarfile.TarInfo(f"srv/big-{index}")
                member.size = 8 << 20
                tar.addfile(member, io.BytesIO(b"%07d\n" % index * (1 << 20)))
        words = ["convert", big, "-o", tmp_path / "image.wsl", "--quiet"]
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *map(str, words)],
            env={**os.environ, "WSLIMG_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout.split()[-1]) // 1024)
    assert peaks[1] < peaks[0] + 32, f"{peaks} MiB"
