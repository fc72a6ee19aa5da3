"""Checking an image beside `gzip -dc` of it: wall time, and the peak memory of the check.

Run: python -m benchmarks.check IMAGE [RUNS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

_CHECK = (sys.executable, "-c", "from builder.cli.main import run; run()", "check")
MOST_TIME = 1.3
MOST_MEMORY = 150 << 20


def measure(command: list[str]) -> tuple[float, int]:
    """Wall seconds and peak resident bytes of `command`."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def main(image: Path, runs: int) -> int:
    """Print both, interleaved so that noise hits them alike; 1 when a limit is exceeded."""
    gzip, check = [], []
    for _ in range(runs):
        gzip.append(measure(["gzip", "-dc", str(image)]))
        check.append(measure([*_CHECK, str(image)]))
    slow, fast = median(seconds for seconds, _ in check), median(seconds for seconds, _ in gzip)
    memory = max(size for _, size in check)
    print(f"| image | gzip -dc | wslimg check | ratio (at most {MOST_TIME}) | memory (at most 150 MiB) |")
    print("|---|---|---|---|---|")
    print(
        f"| {image.name} | {fast:.2f} s | {slow:.2f} s | {slow / fast:.2f} | {memory / (1 << 20):.0f} MiB |"
    )
    return int(slow > MOST_TIME * fast or memory > MOST_MEMORY)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5))
