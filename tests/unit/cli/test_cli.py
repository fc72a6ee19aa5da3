"""The command as a script meets it: help, exit codes, what goes where, and how it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from builder import __version__
from builder.core.errors import ExitCode

WSLIMG = (sys.executable, "-c", "from builder.cli.main import run; run()")
RECIPE = 'schema: 1\nname: small\nversion: "1"\nsource: {debian: trixie}\narchitectures: [amd64, arm64]\n'
COMMANDS = [
    "", "build", "plan", "lock", "init", "schema", "cache", "cache ls", "cache prune", "cache path",
    "check", "conf", "catalog", "catalog resolve", "try", "doctor", "shell",
]  # fmt: skip


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No cache of the user, no proxy, no terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "WSLIMG_CACHE": str(tmp_path / "cache"), "COLUMNS": "100"}


@contextmanager
def stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    """Leaves no process behind, whatever happens."""
    try:
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe without mistakes."""
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def wslimg(environment, tmp_path):
    """Runs the command in a folder of its own."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*WSLIMG, *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_on_standard_output(wslimg, command):
    done = wslimg(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    assert done.stdout.startswith("Usage: ")


def test_the_help_lists_every_command_with_its_purpose(wslimg):
    rows = [line.split(None, 1) for line in wslimg("--help").stdout.partition("Commands:")[2].splitlines()]
    purposes = {row[0]: row[1] for row in rows if len(row) == 2}
    assert {command for command in COMMANDS if command and " " not in command} <= purposes.keys()


def test_the_version_is_printed(wslimg):
    assert wslimg("--version").stdout == f"wslimg, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("build",), ("build", "--engine", "x", "a.yaml"), ("cache", "prune", "--limit", "x")],
)
def test_a_wrong_command_line_exits_with_2(wslimg, arguments):
    done = wslimg(*arguments)
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == "" and "Error: " in done.stderr


def test_a_bad_recipe_exits_with_2_and_every_problem_at_its_place(wslimg, recipe):
    recipe.write_text(RECIPE + "setps: []\nwsl: {systemd: maybe}\n")
    done = wslimg("build", recipe)
    assert done.returncode == ExitCode.USAGE
    assert f"{recipe}:6:1: " in done.stderr and 'did you mean "steps"?' in done.stderr
    assert f'{recipe}:7:16: wsl.systemd: found "maybe", expected true or false' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recipe_that_is_not_there_exits_with_2(wslimg):
    done = wslimg("build", "missing.yaml")
    assert done.returncode == ExitCode.USAGE
    assert "missing.yaml" in done.stderr and "Traceback" not in done.stderr


def test_an_architecture_that_the_recipe_lacks_exits_with_2(wslimg, recipe):
    recipe.write_text(RECIPE.replace("[amd64, arm64]", "[amd64]"))
    done = wslimg("plan", recipe, "--arch", "arm64", "--locked")
    assert done.returncode == ExitCode.USAGE
    assert "the recipe is for amd64, not for arm64" in done.stderr


def test_an_architecture_that_wsl_lacks_exits_with_2(wslimg, recipe):
    done = wslimg("plan", recipe, "--arch", "s390x")
    assert done.returncode == ExitCode.USAGE
    assert "'s390x' is not one of 'amd64', 'arm64'" in done.stderr


@pytest.mark.parametrize("command", ["build", "plan", "lock", "fetch"])
def test_a_mirror_that_is_no_address_exits_with_2(wslimg, recipe, command):
    done = wslimg(command, recipe, "--mirror", "mirror.example.org")
    assert done.returncode == ExitCode.USAGE
    assert "'mirror.example.org' is no address that begins with http:// or https://" in done.stderr


def test_a_shipped_recipe_that_is_not_there_brings_a_suggestion(wslimg):
    done = wslimg("init", "--from", "debain")
    assert done.returncode == ExitCode.USAGE
    assert 'did you mean "debian"?' in done.stderr


@pytest.mark.parametrize("size", ["900M", "900MB", "0.9g", "5 GB", "1000"])
def test_sizes_are_read_with_any_usual_unit(wslimg, size):
    assert wslimg("cache", "prune", "--limit", size).stdout == "freed 0 B\n"


def test_locked_without_a_lock_exits_with_3_and_says_how_to_make_one(wslimg, recipe):
    done = wslimg("build", recipe, "--locked", "--arch", "amd64")
    assert done.returncode == ExitCode.RESOLVE
    assert "wslimg lock" in done.stderr


def test_verbose_and_quiet_exclude_each_other(wslimg, recipe):
    done = wslimg("build", recipe, "-v", "-q")
    assert done.returncode == ExitCode.USAGE
    assert "--verbose and --quiet exclude each other" in done.stderr


@pytest.mark.system
def test_a_user_without_a_home_is_asked_for_a_cache(environment, root):
    lone = {name: value for name, value in environment.items() if name not in ("WSLIMG_CACHE", "HOME")}
    lone.pop("XDG_CACHE_HOME", None)
    command = ["setpriv", "--reuid", "54321", "--clear-groups", *WSLIMG, "cache", "path"]
    done = subprocess.run(command, env=lone, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.USAGE
    assert "uid 54321 has no home directory" in done.stderr and "set WSLIMG_CACHE" in done.stderr


def test_progress_is_on_standard_error_as_json(wslimg, recipe):
    done = wslimg("build", recipe, "--locked", "--arch", "amd64", "--progress", "json")
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events][:2] == ["StageStarted", "StageFinished"]
    assert done.stdout == ""


def test_a_recipe_begins_as_a_copy_with_its_schema(wslimg, tmp_path):
    assert wslimg("init", "--from", "debian-minimal", "new").returncode == ExitCode.OK
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "debian-minimal.yaml",
        "recipe.schema.json",
    ]
    again = wslimg("init", "--from", "debian-minimal", "new")
    assert again.returncode == ExitCode.USAGE and "is there already" in again.stderr


def test_an_unknown_recipe_names_the_known_ones(wslimg):
    done = wslimg("init", "--from", "debain")
    assert done.returncode == ExitCode.USAGE
    assert "'debain', expected one of " in done.stderr and "debian-minimal" in done.stderr


def test_the_list_of_recipes_describes_each(wslimg):
    rows = dict(line.split(None, 1) for line in wslimg("init", "--list").stdout.splitlines())
    assert rows["debian-minimal"] == "Debian 13 (trixie), required packages only"


def test_the_printed_schema_is_the_one_that_init_writes(wslimg, tmp_path):
    wslimg("init", tmp_path / "new")
    assert wslimg("schema").stdout == (tmp_path / "new/recipe.schema.json").read_text()


def test_an_empty_cache_is_told_and_pruned(wslimg, tmp_path):
    folder = tmp_path / "cache" / f"uid-{os.geteuid()}"
    assert wslimg("cache", "path").stdout == f"{folder}\n"
    assert {part["size"] for part in json.loads(wslimg("cache", "ls", "--format", "json").stdout)} == {0}
    assert wslimg("cache", "prune").stdout == "freed 0 B\n"


def test_a_reader_that_leaves_causes_no_traceback(environment):
    command = subprocess.Popen(
        [*WSLIMG, "schema"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None and command.stderr is not None
    command.stdout.close()
    assert b"Traceback" not in command.stderr.read()
    command.stderr.close()
    command.wait(timeout=30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_exits_with_130_and_leaves_nothing_half_made(
    environment, recipe, tmp_path, number
):
    with closing(socket.create_server(("127.0.0.1", 0))) as mirror:
        mirror.settimeout(30)
        address = f"http://127.0.0.1:{mirror.getsockname()[1]}/debian"
        command = [*WSLIMG, "build", str(recipe), "--arch", "amd64", "--mirror", address]
        build = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        with stopped(build):
            mirror.accept()[0].close()  # the build waits for this answer and those to its other questions
            build.send_signal(number)
            mirror.close()
            messages = build.communicate(timeout=60)[1]
    assert build.returncode == ExitCode.INTERRUPTED, messages
    assert "interrupted" in messages and "Traceback" not in messages
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["small_1_amd64.log"]
    assert not (tmp_path / "small.lock").exists()
