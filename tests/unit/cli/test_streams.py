"""Standard streams that are closed or full: an exit code and at most one error, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.core.errors import ExitCode
from tests.unit.check.good import good
from tests.unit.check.images import image

WSLIMG = (sys.executable, "-c", "from builder.cli.main import run; run()")


@pytest.fixture
def wslimg(tmp_path: Path):
    """Runs the command, in a folder with a tree `o.tar`, after `redirections` of a shell."""
    (tmp_path / "o.tar").write_bytes(image(*good()))
    environment = {**os.environ, "WSLIMG_CACHE": str(tmp_path / "cache")}

    def run(redirections: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirections}', "sh", *WSLIMG, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_keeps_no_command_from_its_work(wslimg, tmp_path, redirections):
    done = wslimg(redirections, "pack", "o.tar", "-o", "o.wsl")
    assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.OK, False)
    assert ("  image     o.wsl" in done.stdout) is (redirections == "2>&-")
    wslimg("", "pack", "o.tar", "-o", "again.wsl")
    assert (tmp_path / "o.wsl").read_bytes() == (tmp_path / "again.wsl").read_bytes()


def test_a_command_that_fails_does_so_without_standard_error_too(wslimg):
    done = wslimg("2>&-", "pack", "missing", "-o", "o.wsl")
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")


def test_what_others_start_finds_its_streams(tmp_path):
    """An image that is written to descriptor 1 would get what they print."""
    program = (
        "import os, subprocess, sys; from builder.cli import main; main._replace_streams();"
        "number = os.open('new', os.O_CREAT); subprocess.run(['echo', 'text'], check=True);"
        "sys.exit(number)"
    )
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", program]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode > 2
    assert (tmp_path / "new").read_bytes() == b""


@pytest.mark.parametrize(
    "arguments", [("pack", "o.tar", "-q", "--format", "json", "-o", "o.wsl"), ("schema",), ("--help",)]
)
def test_an_output_that_is_full_is_one_clear_error(wslimg, arguments):
    done = wslimg(">/dev/full", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr == (
        "error: standard output: cannot be written: No space left on device\n"
        "  fix: make room there, or send it elsewhere\n"
    )


@pytest.mark.parametrize("arguments", [("pack", "o.tar", "-o", "o.wsl"), ("nothing",), ("plan", "missing")])
def test_errors_that_nobody_can_be_told_are_in_the_exit_code(wslimg, arguments):
    done = wslimg("2>/dev/full", *arguments)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")


def test_an_error_of_another_file_is_a_bug_as_before(tmp_path):
    program = (
        "import click; from builder.cli import main\n"
        "def fail(): open('/dev/full', 'w', buffering=1).write('text\\n')\n"
        "main.Commands.get_command = lambda *_: click.Command('x', callback=fail)\n"
        "main.run()"
    )
    done = subprocess.run([sys.executable, "-c", program, "x"], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.UNEXPECTED
    assert "Traceback" in done.stderr and "standard output" not in done.stderr
