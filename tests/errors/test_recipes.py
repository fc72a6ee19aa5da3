"""Broken recipes, and word for word what their authors read."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.core.errors import ExitCode, RecipeError
from builder.load.recipe import load_recipe

HERE = Path(__file__).parent
MESSAGES = {path.stem: path for path in sorted((HERE / "recipes").glob("*.txt"))}


def message_of(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(HERE)
    with pytest.raises(RecipeError) as raised:
        load_recipe(Path("recipes") / f"{name}.yaml")
    assert raised.value.exit_code is ExitCode.USAGE
    return str(raised.value)


def test_every_broken_recipe_has_its_message():
    assert set(MESSAGES) == {path.stem for path in (HERE / "recipes").glob("*.yaml")}


@pytest.mark.parametrize("name", MESSAGES)
def test_the_message_is_exactly_this(name, monkeypatch):
    assert message_of(name, monkeypatch) + "\n" == MESSAGES[name].read_text(encoding="utf-8")
