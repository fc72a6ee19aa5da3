"""One process and all it starts, measured from outside, while the machine is quiet if possible."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

CORES = len(os.sched_getaffinity(0))
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = int(os.environ.get("PATIENCE", "5"))
"""How often a disturbed measure is made again; with 1 nothing is waited for."""

QUIET = 0.06
"""How much of all processors others may use for a measure to count as undisturbed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """`wall` and `cpu` in seconds, `memory` of the largest process and `size` of the output in bytes.

    `others` is the part of all processors that other processes used meanwhile.
    """

    wall: float
    cpu: float
    memory: int
    size: int
    others: float = 0.0


class FailedError(Exception):
    """A contender did not end with 0."""


def measure(
    command: str,
    *,
    cwd: Path,
    output: Path,
    prepare: Callable[[], object] = lambda: None,
    patience: int | None = None,
) -> Measure:
    """The least disturbed of `patience` runs of `command`, each after `prepare`; a quiet one is enough."""
    best: Measure | None = None
    for _ in range(PATIENCE if patience is None else patience):
        prepare()
        os.sync()  # nobody shares the disk with what another one left to be written
        if PATIENCE > 1:
            wait_for_quiet()
        done = measure_once(command, cwd=cwd, output=output)
        best = done if best is None or done.others < best.others else best
        if best.others <= QUIET:
            break
    assert best is not None
    return best


def measure_once(command: str, *, cwd: Path, output: Path) -> Measure:
    """Run `command` in a shell that stops at the first failure; its whole process tree counts."""
    start, busy = time.perf_counter(), busy_seconds()
    # Python keeps what it compiled, as it does for everybody who does not forbid it.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        ["bash", "-o", "pipefail", "-ec", command], cwd=cwd, env=env, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise FailedError(f"ended with {process.returncode}: {command}")
    cpu = usage.ru_utime + usage.ru_stime
    others = max(0.0, busy_seconds() - busy - cpu) / (wall * CORES)
    size = output.stat().st_size
    return Measure(wall=wall, cpu=cpu, memory=usage.ru_maxrss * 1024, size=size, others=others)


def busy_seconds() -> float:
    """What all processors together have worked, time stolen by the host included."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def wait_for_quiet(*, at_most: float = 600.0) -> None:
    """Until the processors idled for three seconds, or in vain for `at_most` seconds."""
    end = time.monotonic() + at_most
    while time.monotonic() < end:
        busy = busy_seconds()
        time.sleep(3)
        if (busy_seconds() - busy) / (3 * CORES) < QUIET:
            return


def middle(measures: list[Measure]) -> Measure:
    """The median of each figure; of `others` the worst."""
    return Measure(
        wall=median(item.wall for item in measures),
        cpu=median(item.cpu for item in measures),
        memory=int(median(item.memory for item in measures)),
        size=int(median(item.size for item in measures)),
        others=max(item.others for item in measures),
    )
