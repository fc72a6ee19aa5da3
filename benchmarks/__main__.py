from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import bootstrap, build, check, engine, pack, repack, step
from benchmarks.inputs import FOLDER, HUGE, LARGE, SMALL
from benchmarks.report import PAGE, Section, write

SUITES: dict[str, Callable[[int, Path], Section]] = {
    "pack-small": lambda rounds, scratch: pack.run(SMALL, rounds, scratch),
    "pack": lambda rounds, scratch: pack.run(LARGE, rounds, scratch),
    "pack-huge": lambda rounds, scratch: pack.run(HUGE, rounds, scratch),
    "repack": lambda rounds, scratch: repack.run(LARGE, rounds, scratch),
    "build": build.run,
    "rebuild": build.run_again,
    "check": check.run,
    "bootstrap": bootstrap.run,
    "image": engine.run,
    "step": step.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__import__("benchmarks").__doc__
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(SUITES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs (default: 3)")
    given = parser.parse_args()
    unknown = set(given.suites) - set(SUITES)
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in given.suites or SUITES:
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            write(SUITES[name](given.rounds, Path(scratch)))
        print(f"{name}: written to {PAGE}", flush=True)


main()
