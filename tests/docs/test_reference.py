"""The generated reference is up to date, and nothing that a user can meet is missing in it."""

from __future__ import annotations

import click
import pytest

from builder.check.table import all_rules
from builder.core.errors import ExitCode
from builder.recipe import Source
from builder.sources.table import SOURCES
from builder.steps.table import KINDS
from builder.wsl.keys import ConfigFile, keys_of
from docs.generate import PAGES, ROOT
from docs.generator.codes import event_kinds
from docs.generator.commands import walk_commands


def read(name: str) -> str:
    return (ROOT / "docs/reference" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES)
def test_generated_files_are_up_to_date(path):
    assert (ROOT / path).read_text(encoding="utf-8") == PAGES[path](), "run `make docs` and commit the result"


def test_every_command_and_option_is_documented():
    page = read("commands.md")
    contexts = list(walk_commands())
    assert len(contexts) > 10
    for context in contexts:
        _, heading, section = page.partition(f"\n## `{context.command_path}`\n")
        assert heading, context.command_path
        section = section.partition("\n## ")[0]
        options = [each for each in context.command.params if isinstance(each, click.Option)]
        assert [name for option in options for name in option.opts if name not in section] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_step_is_documented_with_an_example(kind):
    section = read("recipe.md").partition(f"## `steps[].{kind}`\n")[2].partition("\n## ")[0]
    assert f"```yaml\n- {kind}:" in section


@pytest.mark.parametrize("kind", [*SOURCES, "recipe"])
def test_every_kind_of_source_is_documented_with_an_example(kind):
    section = read("recipe.md").partition(f"## `source.{kind}`\n")[2].partition("\n## ")[0]
    assert f"```yaml\nsource:\n  {kind}:" in section


def test_every_key_of_source_is_listed():
    section = read("recipe.md").partition("## `source`\n")[2].partition("\n## ")[0]
    assert [name for name in Source.model_fields if f"| `{name}` |" not in section] == []


def test_every_rule_is_documented():
    page = read("checks.md")
    assert [rule.id for rule in all_rules() if f"\n### {rule.id}: {rule.title}\n" not in page] == []


def test_every_exit_code_is_documented_with_a_meaning():
    rows = [line.split(" | ") for line in read("exit-codes.md").splitlines() if line.startswith("| `")]
    told = {int(row[0].strip("| `")): row[2].strip("| ") for row in rows}
    assert told.keys() == {code.value for code in ExitCode}
    assert all(told.values())


@pytest.mark.parametrize("file", ConfigFile)
def test_every_key_of_wsl_is_documented(file):
    section = read("wsl-conf.md").partition(f"## `{file.path}`\n")[2].partition("\n## ")[0]
    assert [key.name for key in keys_of(file) if f"| `{key.name}` |" not in section] == []


def test_every_event_is_documented():
    assert [
        kind.__name__ for kind in event_kinds() if f"\n## `{kind.__name__}`\n" not in read("events.md")
    ] == []
