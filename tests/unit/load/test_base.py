"""A recipe whose source is another recipe is that recipe's source and steps, then its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.core.errors import RecipeError
from builder.load.recipe import load_recipe
from builder.model.plan import Plan
from builder.pipeline.prepare import make_plan
from builder.resolve.lockfile import read_lock
from builder.resolve.stale import digest_inputs

GOLDEN = Path(__file__).parents[2] / "golden/plan"
CHILD = """\
schema: 1
name: child
version: "2"
source: {recipe: base/recipe.yaml}
steps:
  - files: {/etc/made-for: {template: made-for.j2}}
first_run: none
wsl: {hostname: child}
"""


@pytest.fixture
def child(tmp_path: Path) -> Path:
    """A recipe on the one of the golden plan."""
    shutil.copytree(GOLDEN, tmp_path / "base")
    (tmp_path / "made-for.j2").write_text("{{ name }} {{ version }}\n")
    (tmp_path / "recipe.yaml").write_text(CHILD)
    return tmp_path / "recipe.yaml"


def plan(path: Path) -> Plan:
    lock = read_lock(GOLDEN / "recipe.lock").architectures["amd64"]
    return make_plan(load_recipe(path), lock, "amd64")


def test_steps_of_the_base_come_first_with_their_own_places(child):
    base, loaded = load_recipe(child.parent / "base/recipe.yaml"), load_recipe(child)
    count = len(base.recipe.steps)
    assert loaded.recipe.source == base.recipe.source
    assert loaded.recipe.steps[:count] == base.recipe.steps
    assert loaded.places == (*base.places, f"{child}:6:5")
    assert (loaded.folder, loaded.lowest.folder) == (child.parent, child.parent / "base")


def test_the_head_of_the_plan_is_that_of_the_base(child):
    base, whole = plan(child.parent / "base/recipe.yaml"), plan(child)
    steps = [planned.key for planned in base.operations if planned.title != "WSL settings"]
    assert whole.base == base.base
    assert [planned.key for planned in whole.operations[: len(steps)]] == steps
    own = [planned.title for planned in whole.operations[len(steps) :]]
    assert own == ["files: /etc/made-for", "WSL settings"]


def test_each_step_is_made_for_the_recipe_that_has_it(child):
    (child.parent / "base/site.conf.j2").write_text("{{ name }} {{ version }}\n")
    base = load_recipe(child.parent / "base/recipe.yaml").recipe
    files = {
        entry.path: entry.content.data
        for planned in plan(child).operations
        for entry in getattr(planned.operation, "entries", ())
        if entry.content is not None
    }
    assert files["/etc/made-for"] == b"child 2\n"
    assert f"{base.name} {base.version}\n".encode() in files.values()


def test_what_a_base_tells_wsl_is_not_inherited(child):
    recipe, base = load_recipe(child).recipe, load_recipe(child.parent / "base/recipe.yaml").recipe
    assert (recipe.name, recipe.first_run.mode, recipe.wsl.hostname) == ("child", "none", "child")
    assert base.wsl != recipe.wsl


def test_a_base_may_have_a_base(child):
    text = CHILD.replace("base/recipe.yaml", "../recipe.yaml").replace("made-for.j2", "../made-for.j2")
    grandchild = child.parent / "third/recipe.yaml"
    grandchild.parent.mkdir()
    grandchild.write_text(text.replace("name: child", "name: grandchild"))
    loaded = load_recipe(grandchild)
    assert [name for name, _ in loaded.owners[-2:]] == ["child", "grandchild"]
    assert loaded.lowest.path.samefile(child.parent / "base/recipe.yaml")


def test_a_change_of_the_base_makes_the_lock_stale(child):
    before = digest_inputs(load_recipe(child).recipe)
    base = child.parent / "base/recipe.yaml"
    base.write_text(base.read_text().replace("trixie", "bookworm"))
    after = digest_inputs(load_recipe(child).recipe)
    assert [part for part in before if before[part] != after[part]] == ["source"]


def test_a_circle_is_shown_all_the_way_round(tmp_path):
    for name, below in (("a", "b"), ("b", "a")):
        text = CHILD.replace("base/recipe.yaml", f"{below}.yaml").partition("steps:")[0]
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(RecipeError, match=r"in the end its own base: \S+/a.yaml -> \S+/b.yaml -> ") as caught:
        load_recipe(tmp_path / "a.yaml")
    assert caught.value.where == f"{tmp_path}/b.yaml:4:18"
