from __future__ import annotations

import pytest

from builder.model.operation import Exec
from builder.steps.run import Run

from .context import context


def plan(value: object, folder) -> Exec:
    step = Run.model_validate(value)
    (operation,) = step.operations(context(), step.read_inputs(folder))
    assert isinstance(operation, Exec)
    return operation


@pytest.mark.parametrize(
    ("text", "interpreter"),
    [
        ("id", ("/bin/sh", "-e")),
        ("# a comment\nid", ("/bin/sh", "-e")),
        ("#!/bin/bash\nid", ("/bin/bash",)),
        ("#! /usr/bin/env -S python3 -u \nprint()", ("/usr/bin/env", "-S python3 -u")),
        ("#!\nid", ("/bin/sh", "-e")),
    ],
)
def test_the_first_line_chooses_the_interpreter_as_the_kernel_does(tmp_path, text, interpreter):
    operation = plan(text, tmp_path)
    assert operation.argv == (*interpreter, "/run/wslimg/inputs/command")
    assert operation.inputs[0].content.data == text.encode()


def test_a_script_is_a_file_so_that_its_commands_have_an_empty_standard_input(tmp_path):
    (tmp_path / "setup.sh").write_bytes(b"cat\n")
    operation = plan({"script": "setup.sh"}, tmp_path)
    assert (operation.argv[-1], operation.stdin) == ("/run/wslimg/inputs/setup.sh", b"")


def test_there_is_no_network_unless_asked_for(tmp_path):
    assert not plan("id", tmp_path).network
    assert plan({"command": "id", "network": "true"}, tmp_path).network


def test_the_environment_is_the_same_everywhere_and_the_recipe_has_the_last_word(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    env = dict(plan({"command": "id", "env": {"LC_ALL": "C", "A": "1"}}, tmp_path).env)
    assert (env["LC_ALL"], env["A"], env["SOURCE_DATE_EPOCH"]) == ("C", "1", "1750000000")
    assert "TZ" not in env


def test_a_secret_is_named_and_its_content_not_read(tmp_path):
    (tmp_path / "token").write_text("hush")
    operation = plan({"command": "id", "secrets": {"token": "token"}}, tmp_path)
    assert (operation.secrets[0].name, operation.secrets[0].path) == ("token", tmp_path / "token")
    assert "hush" not in repr(operation)


@pytest.mark.parametrize(
    ("text", "title"),
    [("id", "run: id"), ("# why\nid\n", "run: id"), ("id\nls\n", "run: id ..."), ("# only\n", "run: # only")],
)
def test_the_title_is_the_first_command(text, title):
    assert Run.model_validate(text).title == title
