"""Recipe + lock -> plan, to the letter: a changed key rebuilds every image of every user.

After a deliberate change: WSLIMG_UPDATE_GOLDEN=1 make test, and read the diff of plan.json.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from builder.load.recipe import load_recipe
from builder.model.lock import ArchitectureLock
from builder.model.plan import Plan
from builder.pipeline.prepare import make_plan
from builder.plan.keys import describe
from builder.resolve.lockfile import read_lock

FOLDER = Path(__file__).parent / "plan"


def make(folder: Path = FOLDER) -> Plan:
    return make_plan(load_recipe(folder / "recipe.yaml"), lock(), "amd64")


def lock() -> ArchitectureLock:
    return read_lock(FOLDER / "recipe.lock").architectures["amd64"]


def as_data(plan: Plan) -> dict[str, object]:
    return {
        "base": {"key": plan.base.key, "inputs": list(plan.base.inputs)},
        "time": plan.time,
        "operations": [
            {
                "key": planned.key,
                "title": planned.title,
                "step": planned.step,
                "operation": describe(planned.operation),
            }
            for planned in plan.operations
        ],
    }


def test_the_plan_is_the_recorded_one() -> None:
    recorded = FOLDER / "plan.json"
    found = json.dumps(as_data(make()), indent=1, sort_keys=True) + "\n"
    if os.environ.get("WSLIMG_UPDATE_GOLDEN") == "1":
        recorded.write_text(found)
    assert found == recorded.read_text()


def test_planning_twice_gives_the_same_keys() -> None:
    assert as_data(make()) == as_data(make())


def test_each_key_follows_from_the_one_before() -> None:
    plan = make()
    parents = [planned.parent for planned in plan.operations]
    assert parents == [plan.base.key, *(planned.key for planned in plan.operations[:-1])]


def test_where_the_recipe_lies_is_not_in_the_plan(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "elsewhere")
    assert as_data(make(tmp_path / "elsewhere")) == as_data(make())


def test_a_changed_file_changes_its_step_and_those_after_it(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "copy")
    (folder / "rootfs/etc/motd").write_text("changed\n")
    before, after = make().operations, make(folder).operations
    same = [one.key == other.key for one, other in zip(before, after, strict=True)]
    first = same.index(False)
    assert before[first].title == "overlay: rootfs/"
    assert not any(same[first:])
