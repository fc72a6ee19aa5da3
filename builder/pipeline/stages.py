"""Times a stage and tells the listener about it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from builder.core.events import Sink, StageFinished, StageStarted


@dataclass(kw_only=True, slots=True)
class Timing:
    """Seconds per stage, in the order they ended."""

    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Stage:
    """The running stage; `detail` is shown when it ends."""

    detail: str = ""


@contextmanager
def stage(name: str, sink: Sink, timing: Timing) -> Iterator[Stage]:
    """Report the block as the stage `name`; a block that raises is not reported as finished."""
    sink(StageStarted(name=name))
    running, begin = Stage(), time.monotonic()
    yield running
    timing.seconds[name] = time.monotonic() - begin
    sink(StageFinished(name=name, seconds=timing.seconds[name], detail=running.detail))
