"""What the stages report while they work; `console` decides how it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class StageStarted:
    """A stage begins. `name` is a verb of the pipeline: load, resolve, plan, execute, pack ..."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StageFinished:
    """A stage ended well after `seconds`."""

    name: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`done` of `total` (0: unknown) `unit`s ("B", "packages", "entries") of `label` are finished."""

    label: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Operation `index` of `count` is `state`: "cached", "running" or "done"."""

    title: str
    key: str
    index: int
    count: int
    state: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """A chunk a build step printed; `stream` is "stdout" or "stderr"."""

    stream: str
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A line for the user. `level` is "info" or "warning"."""

    message: str
    level: str = "info"


Event = StageStarted | StageFinished | Progress | Step | Output | Note
Sink = Callable[[Event], None]


def discard(event: Event) -> None:
    """The sink of a caller that does not listen."""
