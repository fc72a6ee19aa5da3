"""Files for Windows, read by what reads their languages: Wine's registry and cmd.exe, PowerShell grammars."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.core.errors import UsageError
from builder.publish.channel import describe_channel
from builder.publish.windows import KEY, Mode, list_setting, reg_add, reg_delete, render_windows
from tests.conftest import require
from tests.unit.publish.test_windows import with_base

pytestmark = pytest.mark.system

ADDRESSES = (
    "https://wsl.example.com/catalog",
    "https://wsl.example.com/o'clock/$(calc)/`n/a&b|c^d/;e/{f}/<g>/!h!/~i",
    "https://wsl.example.com/%PATH%/%41b%20c/%%/100%",
    "https://wsl.example.com/a?sig=x%2By&b=(1)",
    "file:///C:/Program Files/wsl",
    "file://///server/share/wsl",
    r"file://\\server\share\wsl",
)
BEYOND = (
    "\u2018quoted\u2019",
    "\u201cdouble\u201d",
    "caf\u00e9",
    "\U0001f427",
    "\ufeffmark",
    "a\nb",
    "a\r\nb",
    "a\x00b",
    'a"b',
)
"""What an address cannot hold in a registry file; PowerShell can say all of it."""


def render(url: str, mode: Mode = Mode.REPLACE, key: str = "") -> dict[str, bytes]:
    return render_windows(describe_channel(with_base(url)), mode, key)


# Wine.


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of its own."""
    require(os.geteuid() == 0, "this test needs root, to end Wine's server with its process namespace")
    require(os.path.exists("/usr/bin/wine"), "not installed: wine (tests/install-tools installs it)")
    folder = tmp_path_factory.mktemp("wine")
    run_wine(folder, "wine wineboot --init; wineserver -w")
    return folder


def run_wine(folder: Path, script: str, status: int = 0) -> str:
    """What a shell script prints. Wine's server and all others end with it: it is the first process of a
    namespace."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "WINEPREFIX": str(folder / "prefix"),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",
    }
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
        env=environ, cwd=folder, capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == status, done.stderr.decode()
    return done.stdout.decode()


Values = dict[str, str]
Run = Callable[[list[str]], list[tuple[Values, Values]]]


@pytest.fixture
def registry_after(prefix: Path) -> Run:
    """`registry_after(commands)` runs them one after the other, and gives name -> value of the key in the
    64 and in the 32 bit view after each. A session of Wine takes longer than all its commands."""

    def run(commands: list[str]) -> list[tuple[Values, Values]]:
        views = "".join(f"echo MARK\nwine reg query 'HKLM\\{KEY}' /reg:{view} || true\n" for view in (64, 32))
        parts = run_wine(prefix, "".join(f"{command}\n{views}" for command in commands)).split("MARK\n")[1:]
        values = [read_values(part) for part in parts]
        return list(zip(values[::2], values[1::2], strict=True))

    return run


def read_values(text: str) -> Values:
    """What `reg query` shows."""
    rows = [row.strip().split("    ", 2) for row in text.splitlines() if "    REG_" in row]
    assert all(kind == "REG_SZ" for _, kind, _ in rows)
    return {name: value for name, _, value in rows}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("mode", Mode)
def test_one_file_sets_the_value_in_the_64_bit_view_and_another_deletes_it(mode, registry_after, tmp_path):
    commands = []
    for number, url in enumerate(ADDRESSES):
        folder = write(tmp_path / str(number), render(url, mode))
        commands += [f"wine reg import 'Z:{folder}/{name}' /reg:64" for name in ("set.reg", "delete.reg")]
    found = registry_after(commands)
    settings = [list_setting(url, "stable", mode) for url in ADDRESSES]
    assert found[::2] == [({setting.value: setting.url}, {}) for setting in settings]
    assert found[1::2] == [({}, {})] * len(ADDRESSES)


def test_the_batch_file_and_the_line_for_a_prompt_do_the_same(registry_after, tmp_path):
    commands, wanted = [], []
    for number, url in enumerate(ADDRESSES):
        folder = write(tmp_path / str(number), render(url))
        setting = list_setting(url, "stable", Mode.REPLACE)
        (folder / "undo").write_text(f"{reg_delete(setting)}\r\nexit\r\n")
        commands += [f"wine cmd /d /c 'Z:{folder}/set.cmd'", f"wine cmd /d <'{folder}/undo'"]
        wanted += [({setting.value: setting.url}, {}), ({}, {})]
        if "%PATH%" not in url:
            (folder / "prompt").write_text(f"{reg_add(setting)}\r\nexit\r\n")
            commands += [f"wine cmd /d <'{folder}/{name}'" for name in ("prompt", "undo")]
            wanted += wanted[-2:]
    assert registry_after(commands) == wanted


# PowerShell.

GRAMMARS = ("tree_sitter_powershell", "tree_sitter_pwsh")


@pytest.fixture(scope="session", params=GRAMMARS)
def problems(request: pytest.FixtureRequest) -> Callable[[bytes], list[str]]:
    """`problems(script)`: what the grammar does not understand, by line and text."""
    found = all(importlib.util.find_spec(name) for name in ("tree_sitter", request.param))
    require(found, f"{request.param} is not installed (make test-all installs it)")
    tree_sitter = importlib.import_module("tree_sitter")
    parser = tree_sitter.Parser(tree_sitter.Language(importlib.import_module(request.param).language()))

    def walk(node) -> Iterator[str]:
        if node.is_error or node.is_missing:
            yield f"{node.start_point[0] + 1}: {node.text!r}"
        for child in node.children:
            yield from walk(child)

    return lambda script: list(walk(parser.parse(script).root_node))


@pytest.mark.parametrize("url", [*ADDRESSES, *(f"https://x/{text}" for text in BEYOND)])
def test_every_script_is_sound_powershell(url, problems):
    try:
        files = render(url, Mode.APPEND, f"ssh-ed25519 AAAA {url}")
    except UsageError:
        files = {"install-dev.ps1": render_script(url)}
    for name, data in files.items():
        if name.endswith(".ps1"):
            assert problems(data) == [], name
            assert data.isascii()


def render_script(url: str) -> bytes:
    """What is left where a registry file cannot hold the address: its key as a comment of hostile text."""
    return render("https://x", Mode.APPEND, f"ssh-ed25519 AAAA {url}")["install-dev.ps1"]


@pytest.mark.parametrize("text", ["param(", "try {", "foreach ($one in @(", "\r\n'@"])
def test_a_missing_bracket_or_quote_is_noticed(text, problems):
    script = render("https://x")["migrate-dev.ps1"].decode()
    assert text in script
    assert problems(script.replace(text, text[:-1], 1).encode())
