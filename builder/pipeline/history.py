"""Remembers the last plan of each image, so that the next one can say what changed."""

from __future__ import annotations

import json
from pathlib import Path

from builder.core.digests import canonical_json
from builder.core.files import write_atomic
from builder.model.plan import Plan, PlannedOperation
from builder.plan.keys import describe


def remember_plan(plan: Plan, cache: Path) -> None:
    """Keep what the operations of `plan` consisted of."""
    write_atomic(_file(plan, cache), canonical_json([_flatten_base(plan), *map(_flatten, plan.operations)]))


def explain_changes(plan: Plan, cache: Path) -> list[str]:
    """For the base and each operation of `plan`: what differs from the last build; empty if nothing does.

    An operation that did not change itself says so by naming the one before it that did.
    """
    now = [_flatten_base(plan), *map(_flatten, plan.operations)]
    try:
        before = json.loads(_file(plan, cache).read_bytes())
    except FileNotFoundError:
        return ["never built"] * len(now)
    own = [_compare(old, new) for old, new in zip(before, now, strict=False)]
    own += ["is new"] * (len(now) - len(own))
    return [_inherit(own, index) for index in range(len(now))]


def _inherit(own: list[str], index: int) -> str:
    if own[index]:
        return own[index]
    first = next((position for position in range(index) if own[position]), None)
    return "" if first is None else f"follows operation {first + 1}"


def _file(plan: Plan, cache: Path) -> Path:
    return cache / "plans" / f"{plan.name}_{plan.architecture}.json"


def _flatten_base(plan: Plan) -> dict[str, str]:
    return dict.fromkeys(plan.base.inputs, "")


def _flatten(planned: PlannedOperation) -> dict[str, str]:
    """The operation as flat `field -> value` text, lists of named things by their names."""
    fields = describe(planned.operation)
    assert isinstance(fields, dict)
    flat = {"title": planned.title, "kind": type(planned.operation).__name__}
    return flat | {key: item for name, value in fields.items() for key, item in _items(name, value)}


def _items(name: str, value: object) -> list[tuple[str, str]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return [(name, json.dumps(value))]
    return [(f"{name} {item.get('name', item.get('path', ''))}", json.dumps(item)) for item in value]


def _compare(old: dict[str, str], new: dict[str, str]) -> str:
    added = sorted(new.keys() - old.keys())
    removed = sorted(old.keys() - new.keys())
    changed = sorted(key for key in new.keys() & old.keys() if new[key] != old[key])
    parts = [(added, "added"), (removed, "removed"), (changed, "changed")]
    return "; ".join(f"{what}: {_few(names)}" for names, what in parts if names)


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
