"""What of a recipe its lock does not hold as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builder.core.digests import sha256_json
from builder.model.lock import Lock
from builder.recipe import Recipe
from builder.resolve.resolve import package_requests

SOURCE = "source"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stale:
    """One reason why a lock does not fit. `part` is the part of the recipe, as `digest_inputs` names it, or
    empty; `message` is in words."""

    part: str
    message: str


def digest_inputs(recipe: Recipe) -> dict[str, str]:
    """Digests of the parts of `recipe` that resolving reads: its source, and what each step asks for.

    Defaults do not count, nor does the mirror: neither says what the packages are.
    """
    source = recipe.source.model
    what = {type(source).__name__: source.model_dump(mode="json", exclude_defaults=True)}
    requests = {
        step_part(request.step): sha256_json([request.names, request.recommends])
        for request in package_requests(recipe)
    }
    return {SOURCE: sha256_json(what), **requests}


def step_part(step: int) -> str:
    """How the packages of the step at position `step` are named."""
    return f"steps[{step}].packages"


def find_stale(lock: Lock, recipe: Recipe, architectures: Iterable[str]) -> tuple[Stale, ...]:
    """What of `recipe` for `architectures` the `lock` lacks or holds otherwise; empty if it fits."""
    return (*_compare_inputs(lock.inputs, digest_inputs(recipe)), *_find_missing(lock, recipe, architectures))


def _compare_inputs(before: dict[str, str], now: dict[str, str]) -> Iterator[Stale]:
    for part in sorted(before.keys() | now.keys()):
        if part not in before:
            yield Stale(part=part, message=f"{part} is not in the lock")
        elif part not in now:
            yield Stale(part="", message=f"the lock holds {part}, which the recipe no longer has")
        elif before[part] != now[part]:
            yield Stale(part=part, message=f"{part} changed since the lock was made")


def _find_missing(lock: Lock, recipe: Recipe, architectures: Iterable[str]) -> Iterator[Stale]:
    for architecture in architectures:
        locked = lock.architectures.get(architecture)
        if locked is None:
            known = ", ".join(sorted(lock.architectures)) or "nothing"
            yield Stale(part="", message=f"the lock holds no {architecture}, but {known}")
            continue
        steps = {step.step for step in locked.steps}
        for request in package_requests(recipe):
            part = step_part(request.step)
            # One that is new in the recipe was named already.
            if request.step not in steps and part in lock.inputs:
                yield Stale(part=part, message=f"{part} is not in the lock for {architecture}")
