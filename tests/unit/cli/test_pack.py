"""`wslimg pack`: trees of every kind become an image, and the answer is what `wslimg check` says of it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import time

import pytest
from click.testing import CliRunner, Result

from builder.check.formats import render
from builder.check.run import check_image
from builder.cli.pack import pack
from builder.core.errors import ExitCode, PackError
from builder.pipeline import repack
from tests.unit.check.good import good
from tests.unit.check.images import file, image


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIMG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out" / "o.wsl"


@pytest.fixture
def folder(tmp_path):
    """A tree whose times have settled, with a private key in it."""
    data = image(*good(file("etc/host.key", "-----BEGIN PRIVATE KEY-----\n", 0o600)))
    (tmp_path / "o.tar").write_bytes(data)
    with tarfile.open(tmp_path / "o.tar") as archive:
        archive.extractall(tmp_path / "tree")
    return tmp_path / "tree"


@pytest.fixture
def settled(monkeypatch):
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)


def run(*words: object) -> Result:
    return CliRunner().invoke(pack, list(map(str, words)))


def test_a_good_tree_is_an_image_without_findings(tmp_path, output):
    (tmp_path / "o.tar").write_bytes(image(*good()))
    result = run(tmp_path / "o.tar", "-o", output)
    assert result.exit_code == ExitCode.OK
    assert str(output) in result.stdout
    assert check_image(output).findings == ()


def test_what_wsl_would_refuse_is_written_and_exits_with_5(tmp_path, output):
    (tmp_path / "o.tar").write_bytes(image(*good(without=("etc/passwd",))))
    result = run(tmp_path / "o.tar", "-o", output, "--quiet")
    assert result.exit_code == ExitCode.CHECK
    assert result.stdout == render([check_image(output)], "text")


@pytest.mark.parametrize("options", ["", "--trust-mtime", "--no-cache", "--no-cache --trust-mtime"])
def test_a_folder_is_judged_as_the_image_of_it_however_much_of_it_is_read(folder, output, settled, options):
    for _ in range(2):
        result = run(folder, "-o", output, "--quiet", *options.split())
        assert result.stdout == render([check_image(output)], "text")
        assert "/etc/host.key: is a private key" in result.stdout


def test_with_fix_nothing_is_left_that_must_not_ship(folder, output):
    (folder / "var/cache/apt/archives").mkdir(parents=True)
    (folder / "var/cache/apt/archives/x.deb").write_text("secret")
    assert "/var/cache/apt/archives/x.deb" in run(folder, "-o", output, "--fix").stdout
    with tarfile.open(output) as archive:
        assert "var/cache/apt/archives/x.deb" not in archive.getnames()


def test_configuration_replaces_what_is_there(tmp_path, folder, output):
    (tmp_path / "wsl.conf").write_text("[boot]\nsystemd = false\n")
    run(folder, "-o", output, "--wsl-conf", tmp_path / "wsl.conf")
    with tarfile.open(output) as archive:
        assert archive.extractfile("etc/wsl.conf").read() == b"[boot]\nsystemd = false\n"


def test_an_archive_comes_through_a_pipe(output):
    command = [sys.executable, "-c", "from builder.cli.main import run; run()", "pack", "-", "-o", output]
    subprocess.run(command, input=image(*good()), check=True, capture_output=True)
    assert check_image(output).findings == ()


@pytest.mark.parametrize("act", [lambda path: path.unlink(), lambda path: path.write_text("[boot]\n")])
def test_a_file_that_changes_before_it_is_checked_is_one_clear_error(folder, output, monkeypatch, act):
    """Else the verdict would be on another tree than the one that was packed."""
    do = repack.pack_tree

    def pack_and_change(*arguments, **more):
        result = do(*arguments, **more)
        act(folder / "etc/wsl.conf")
        return result

    monkeypatch.setattr(repack, "pack_tree", pack_and_change)
    result = run(folder, "-o", output)
    assert isinstance(result.exception, PackError)
    assert "etc/wsl.conf: the image was written, and cannot be checked: " in str(result.exception)
    assert "`wslimg check` the image" in result.exception.fix
