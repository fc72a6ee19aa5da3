"""One process and all it starts, measured from outside."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """`wall` and `cpu` in seconds, `memory` of the largest process and `size` of the output in bytes."""

    wall: float
    cpu: float
    memory: int
    size: int


class FailedError(Exception):
    """A contender did not end with 0."""


def measure(command: str, *, cwd: Path, output: Path) -> Measure:
    """Run `command` in a shell that stops at the first failure; its whole process tree counts."""
    start = time.perf_counter()
    process = subprocess.Popen(["bash", "-o", "pipefail", "-ec", command], cwd=cwd)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise FailedError(f"ended with {process.returncode}: {command}")
    cpu = usage.ru_utime + usage.ru_stime
    return Measure(wall=wall, cpu=cpu, memory=usage.ru_maxrss * 1024, size=output.stat().st_size)


def middle(measures: list[Measure]) -> Measure:
    """The median of each figure."""
    return Measure(
        wall=median(item.wall for item in measures),
        cpu=median(item.cpu for item in measures),
        memory=int(median(item.memory for item in measures)),
        size=int(median(item.size for item in measures)),
    )
