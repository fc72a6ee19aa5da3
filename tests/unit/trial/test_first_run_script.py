"""The first-run script as text: every mode is sound shell, and what is missing is noticed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import jinja2
import pytest

from builder.templating import render_shipped

VARIABLES: dict[str, object] = {
    "mode": "prompt",
    "uid": 1000,
    "user": "",
    "shell": "",
    "admin": True,
    "admin_group": "wheel",
    "groups": (),
    "hooks_dir": "/usr/lib/wslimg/first-run.d",
}
MODES = ("prompt", "windows-name", "preset")
SHELLS = (["dash"], ["bash", "--posix"], ["busybox", "sh"])


def render(**changes: object) -> str:
    return render_shipped("first-run/first-run.sh.j2", {**VARIABLES, **changes})


def every_variant() -> list[str]:
    choices = product(MODES, (True, False), (True, False), ((), ("adm", "video")), ("", "/bin/zsh"))
    return [
        render(mode=mode, admin=admin, passwordless_sudo=passwordless, groups=groups, shell=shell, user="dev")
        for mode, admin, passwordless, groups, shell in choices
    ]


def test_mode_none_has_no_script() -> None:
    assert render(mode="none") == ""


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_a_variable_that_is_not_given_is_an_error(name: str) -> None:
    given = {key: value for key, value in VARIABLES.items() if key != name}
    with pytest.raises(jinja2.UndefinedError, match=f"'{name}' is undefined"):
        for mode in MODES:
            render_shipped("first-run/first-run.sh.j2", {**given, "mode": mode} if name != "mode" else given)


def test_the_script_is_for_any_posix_shell_and_has_unix_line_ends() -> None:
    for text in every_variant():
        assert text.startswith("#!/bin/sh\n")
        assert text.endswith('main "$@"\n')
        assert "\r" not in text


def test_only_modes_that_ask_contain_questions() -> None:
    assert "read -r user" in render()
    assert "read -r user" not in render(mode="windows-name") + render(mode="preset", user="dev")
    assert "cmd.exe" not in render(mode="preset", user="dev")


def test_no_rule_for_sudo_without_admin() -> None:
    assert "sudoers" not in render(admin=False)
    assert "NOPASSWD" not in render(admin=True)
    assert "NOPASSWD" in render(admin=True, passwordless_sudo=True)


@pytest.mark.system
def test_shellcheck_has_nothing_to_say(tool: Callable[..., None], tmp_path: Path) -> None:
    tool("shellcheck")
    for number, text in enumerate(every_variant()):
        (tmp_path / f"{number}.sh").write_text(text)
    paths = sorted(map(str, tmp_path.iterdir()))
    result = subprocess.run(["shellcheck", "--shell=sh", *paths], capture_output=True, text=True)
    assert result.stdout == ""


@pytest.mark.system
@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[0])
def test_every_shell_can_parse_it(tool: Callable[..., None], shell: list[str]) -> None:
    tool(shell[0])
    for text in every_variant():
        result = subprocess.run([*shell, "-n"], input=text, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")
