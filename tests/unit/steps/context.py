"""A context for steps under test."""

from __future__ import annotations

from typing import Any

from builder.steps.families import DEBIAN
from builder.steps.step import StepContext


def context(**changes: Any) -> StepContext:
    facts: dict[str, Any] = {
        "family": DEBIAN,
        "architecture": "amd64",
        "name": "bare",
        "version": "1",
        "time": 1_750_000_000,
        "os_release": {"ID": "debian", "VERSION_ID": "13", "VERSION_CODENAME": "trixie"},
    }
    return StepContext(**{**facts, **changes})
