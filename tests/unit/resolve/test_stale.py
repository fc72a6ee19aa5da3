from __future__ import annotations

import pytest

from builder.model.lock import ArchitectureLock, BootstrapSource, Facts, Lock, StepPackages
from builder.recipe import Recipe
from builder.resolve.lockfile import merge_lock
from builder.resolve.stale import digest_inputs, find_stale

STEPS = [{"packages": ["git"]}, {"run": "true"}, {"packages": {"install": ["curl"], "remove": ["nano"]}}]


def recipe(source: dict[str, object] | None = None, steps: list[object] | None = None) -> Recipe:
    found = {"bootstrap": {"suite": "trixie"}} if source is None else source
    return Recipe.model_validate(
        {
            "schema": 1,
            "name": "a",
            "version": "1",
            "source": found,
            "steps": STEPS if steps is None else steps,
        }
    )


def architecture(*steps: int) -> ArchitectureLock:
    source = BootstrapSource(distribution="debian", suite="trixie", releases=(), indexes=(), packages=())
    facts = Facts(family="debian", os_release={})
    packages = tuple(StepPackages(step=step, packages=()) for step in steps)
    return ArchitectureLock(time=1, facts=facts, source=source, steps=packages)


def lock(**architectures: ArchitectureLock) -> Lock:
    return Lock(inputs=digest_inputs(recipe()), architectures=architectures)


def messages(lock: Lock, of: Recipe, *architectures: str) -> list[str]:
    return [stale.message for stale in find_stale(lock, of, architectures or ("amd64",))]


def test_a_lock_fits_the_recipe_it_was_made_for() -> None:
    assert find_stale(lock(amd64=architecture(0, 2)), recipe(), ("amd64",)) == ()


@pytest.mark.parametrize(
    "source",
    [
        {"debian": "trixie"},
        {"bootstrap": {"suite": "trixie", "mirror": "http://mirror.example.org/debian"}},
        {"bootstrap": {"suite": "trixie", "components": ["main"], "updates": True}},
    ],
)
def test_what_says_the_same_in_other_words_fits(source: dict[str, object]) -> None:
    assert messages(lock(amd64=architecture(0, 2)), recipe(source)) == []


def test_another_suite_is_another_source() -> None:
    (stale,) = find_stale(lock(amd64=architecture(0, 2)), recipe({"debian": "bookworm"}), ("amd64",))
    assert (stale.part, stale.message) == ("source", "source changed since the lock was made")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"packages": ["git", "tig"]}, *STEPS[1:]], "steps[0].packages changed since the lock was made"),
        ([*STEPS, {"packages": ["vim"]}], "steps[3].packages is not in the lock"),
        (STEPS[:2], "the lock holds steps[2].packages, which the recipe no longer has"),
    ],
)
def test_each_changed_step_is_named(steps: list[object], message: str) -> None:
    assert messages(lock(amd64=architecture(0, 2)), recipe(steps=steps)) == [message]


def test_what_a_step_removes_or_runs_is_no_matter_of_the_lock() -> None:
    steps = [STEPS[0], {"run": "false"}, {"packages": {"install": ["curl"], "remove": ["vi"]}}]
    assert messages(lock(amd64=architecture(0, 2)), recipe(steps=steps)) == []


def test_missing_architectures_and_steps_are_named() -> None:
    assert messages(lock(amd64=architecture(0)), recipe(), "amd64", "arm64") == [
        "steps[2].packages is not in the lock for amd64",
        "the lock holds no arm64, but amd64",
    ]


def test_other_architectures_stay_only_as_long_as_the_recipe_does() -> None:
    old = lock(amd64=architecture(0, 2), arm64=architecture(0, 2))
    kept = merge_lock(recipe(), "amd64", architecture(0, 2), old)
    assert sorted(kept.architectures) == ["amd64", "arm64"]
    changed = merge_lock(recipe(steps=STEPS[:1]), "amd64", architecture(0), old)
    assert sorted(changed.architectures) == ["amd64"]
