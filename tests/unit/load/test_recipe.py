from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from builder.core.errors import RecipeError
from builder.load.recipe import LoadedRecipe, load_recipe

HEAD = "schema: 1\nname: bare\nversion: 24.10\nsource: {debian: trixie}\n"
SHIPPED = sorted((Path(__file__).parents[3] / "recipes").glob("*.yaml"))


def load(folder: Path, text: str) -> LoadedRecipe:
    path = folder / "recipe.yaml"
    path.write_text(HEAD + textwrap.dedent(text), encoding="utf-8")
    return load_recipe(path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads(path):
    assert load_recipe(path).recipe.name == path.stem


def test_text_that_looks_like_something_else_stays_text(tmp_path):
    recipe = load(tmp_path, "description: no\nsteps: [run: {command: x, env: {N: 010, Y: yes}}]\n").recipe
    assert (recipe.version, recipe.description) == ("24.10", "no")
    assert recipe.steps[0].run.env == {"N": "010", "Y": "yes"}


@pytest.mark.parametrize("written", ["yes", "on", "1", "True", "TRUE", "''"])
def test_a_flag_is_true_or_false_and_nothing_else(tmp_path, written):
    with pytest.raises(RecipeError, match=r"wsl\.shortcut: found .*, expected true or false"):
        load(tmp_path, f"wsl: {{shortcut: {written}}}\n")


@pytest.mark.parametrize("written", ["1_000", "+5", "-1", "1.0", "0x10", "007", "\u0661"])
def test_a_number_is_decimal_digits(tmp_path, written):
    with pytest.raises(RecipeError, match=r"first_run\.uid: found .*, expected a whole number"):
        load(tmp_path, f"first_run: {{uid: {written}}}\n")


@pytest.mark.parametrize(
    ("written", "mode"), [("0644", 0o644), ('"0644"', 0o644), ("644", 0o644), ("04755", 0o4755)]
)
def test_a_mode_is_octal_with_or_without_quotes(tmp_path, written, mode):
    recipe = load(tmp_path, f"steps: [files: {{/a: {{content: x, mode: {written}}}}}]\n").recipe
    assert recipe.steps[0].files.entries["/a"].mode == mode


def test_short_forms_mean_their_long_forms(tmp_path):
    short = load(tmp_path, "steps: [packages: [git], run: id, overlay: ., remove: [/a]]\nfirst_run: none\n")
    long = load(
        tmp_path,
        """\
        steps:
          - packages: {install: [git]}
          - run: {command: id}
          - overlay: {source: .}
          - remove: {patterns: [/a]}
        first_run: {mode: none}
        """,
    )
    assert short.recipe == long.recipe


def test_defaults_are_complete(tmp_path):
    recipe = load(tmp_path, "").recipe
    assert (recipe.first_run.mode, recipe.first_run.uid, recipe.wsl.systemd) == ("prompt", 1000, True)
    assert recipe.source.model.suite == "trixie"
    assert recipe.steps == ()


def test_settings_are_the_same_flat_and_nested(tmp_path):
    flat = load(tmp_path, "wsl: {conf: {interop.enabled: false}}\n").recipe
    nested = load(tmp_path, "wsl: {conf: {interop: {enabled: false}}}\n").recipe
    assert flat == nested
    assert flat.wsl.conf == {"interop.enabled": "false"}


def test_each_step_has_its_place_and_its_inputs(tmp_path):
    loaded = load(tmp_path, "steps:\n  - run: id\n  - packages: [git]\n")
    assert loaded.places == (f"{tmp_path}/recipe.yaml:6:5", f"{tmp_path}/recipe.yaml:7:5")
    assert loaded.inputs[0].script.content.data == b"id"
    assert loaded.inputs[1] is None


def test_the_folder_of_a_recipe_does_not_depend_on_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "setup.sh").write_bytes(b"id\n")
    expected = load(tmp_path, "steps: [run: {script: setup.sh}]\n")
    monkeypatch.chdir(tmp_path)
    here = load_recipe(Path("recipe.yaml"))
    assert (here.recipe, here.inputs, here.folder) == (expected.recipe, expected.inputs, tmp_path)


def test_the_problems_of_steps_and_settings_come_together_in_the_order_of_the_file(tmp_path):
    with pytest.raises(RecipeError) as raised:
        load(tmp_path, "wsl: {icon: a.png}\nsteps:\n  - overlay: none\n  - run: {script: none.sh}\n")
    lines = str(raised.value).splitlines()
    assert lines[0].endswith("recipe.yaml: 3 problems:")
    assert [line.split(": ")[1] for line in lines[1:]] == [
        "wsl.icon",
        "steps[0].overlay",
        "steps[1].run.script",
    ]
