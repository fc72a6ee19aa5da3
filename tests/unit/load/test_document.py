from __future__ import annotations

from pathlib import Path

import pytest

from builder.core.errors import RecipeError
from builder.load.document import Document, parse_document


def parse(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return parse_document(path, "recipe.yaml")


@pytest.mark.parametrize(
    "text", ["24.10", "no", "0644", "1e3", "null", "~", "2030-06-30", "0x10", "1_000", "true"]
)
def test_a_scalar_stays_the_text_that_was_written(tmp_path, text):
    assert parse(tmp_path, f"key: {text}\n").value == {"key": text}


def test_nothing_written_is_none_and_an_empty_text_is_not(tmp_path):
    assert parse(tmp_path, "nothing:\nempty: ''\n").value == {"nothing": None, "empty": ""}


def test_places_of_keys_and_values_count_from_one(tmp_path):
    document = parse(tmp_path, "a: 1\nsteps:\n  - run: x\n  - {run: y}\n")
    assert str(document.keys["steps", 1, "run"]) == "recipe.yaml:4:6"
    assert str(document.values["steps", 1, "run"]) == "recipe.yaml:4:11"


def test_an_alias_has_the_value_and_the_place_of_its_anchor(tmp_path):
    document = parse(tmp_path, "a: &x [one]\nb: *x\n")
    assert document.value == {"a": ["one"], "b": ["one"]}
    assert str(document.values["b", 0]) == "recipe.yaml:1:8"


def test_a_location_that_a_short_form_stands_for_resolves_to_what_was_written(tmp_path):
    document = parse(tmp_path, "steps:\n  - packages: [git]\nconf: {boot: {command: x}}\n")
    assert document.resolve(("steps", 0, "packages", "install", 0)) == ("steps", 0, "packages", 0)
    assert document.resolve(("conf", "boot.command")) == ("conf", "boot", "command")


def test_aliases_cannot_make_a_small_file_huge(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(RecipeError, match="more than 100000 values"):
        parse(tmp_path, "\n".join(lines))


def test_deep_nesting_is_an_error_of_the_file(tmp_path):
    with pytest.raises(RecipeError, match="nested too deeply"):
        parse(tmp_path, f"a: {'[' * 3000}{']' * 3000}\n")


def test_a_control_character_is_named_with_its_place(tmp_path):
    with pytest.raises(RecipeError, match=r"recipe.yaml:2:5: the character U\+0007"):
        parse(tmp_path, "a: 1\nb: x\x07\n")


def test_a_file_that_is_not_there_and_a_folder_say_so(tmp_path):
    with pytest.raises(RecipeError, match=r"none\.yaml: there is no such file"):
        parse_document(tmp_path / "none.yaml", "none.yaml")
    with pytest.raises(RecipeError, match="is a folder"):
        parse_document(tmp_path, "folder")


def test_a_path_through_a_file_and_a_link_to_itself_say_so(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    with pytest.raises(RecipeError, match="cannot be read: Too many levels of symbolic links"):
        parse_document(tmp_path / "loop", "loop")
    with pytest.raises(RecipeError, match="cannot be read: Not a directory"):
        parse_document(tmp_path / "file/recipe.yaml", "file/recipe.yaml")
