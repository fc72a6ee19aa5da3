"""The same tree again, with little or nothing changed, against packing it without a cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.inputs import Input, make, warm
from benchmarks.measure import Measure, measure, middle
from benchmarks.report import Row, Section

SETTLE = 3.0
"""After this many seconds a changed file is trusted to be what its times say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """`change` is made to the tree before; `options` are those of `benchmarks.packer`, `command` is another
    program, whose images have fewer extended attributes and are not compared."""

    title: str
    options: str = ""
    command: str = ""
    change: Callable[[Path], None] | None = None
    keep_output: bool = False


def change_file(tree: Path) -> None:
    """One small file has other content."""
    (tree / "etc/motd").write_text(f"changed at {time.time_ns()}\n")
    time.sleep(SETTLE)


def add_package(tree: Path) -> None:
    """300 files of 10 KB that were not there before, and a package database that knows of them."""
    folder = tree / "usr/share/wslimg-benchmark"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for index in range(300):
        (folder / f"file-{index:03}.txt").write_text(f"{time.time_ns()} {index}\n" * 400)
    with (tree / "var/lib/dpkg/status").open("a") as status:
        status.write("\n")
    time.sleep(SETTLE)


TRUST = "cache={cache} trust=1"
COMMAND = "WSLIMG_CACHE={cache}/command {wslimg} pack {tree} -o {output} --trust-mtime --quiet || test $? = 5"
CASES = (
    Case(title="nothing changed, image still there", options=TRUST + " key={key}", keep_output=True),
    Case(title="nothing changed, image written again", options=TRUST + " key={key}"),
    Case(title="one small file changed", options=TRUST, change=change_file),
    Case(
        title="one small file changed, digest of the archive too",
        options=TRUST + " digest=1",
        change=change_file,
    ),
    Case(title="a package of 300 files installed", options=TRUST, change=add_package),
    Case(
        title="a package of 300 files installed, digest of the archive too",
        options=TRUST + " digest=1",
        change=add_package,
    ),
    Case(title="nothing changed, found by content alone", options="cache={cache}"),
    Case(title="`wslimg pack --trust-mtime`, which also checks the image: cold", command=COMMAND),
    Case(title="the same, one small file changed", command=COMMAND, change=change_file),
)


def run(chosen: Input, rounds: int, scratch: Path) -> Section:
    """Every case once a round, each after a cold image; the bytes are compared with those of a cold image."""
    tree = make(chosen)
    entries, size = warm(tree)
    base = f"{sys.executable} -m benchmarks.packer {tree} "
    found: dict[str, list[Measure]] = {"cold": [], **{case.title: [] for case in CASES}}
    for number in range(rounds):
        cache, output = scratch / f"cache-{number}", scratch / "image"
        cold = f"{base}{output} cache={cache} trust=1 key={number}"
        forget = partial(shutil.rmtree, cache, ignore_errors=True)
        found["cold"].append(measure(cold, cwd=Path.cwd(), output=output, prepare=forget))
        for case in CASES:
            command = (case.command or f"{base}{output} {case.options}").format(
                wslimg=Path(sys.executable).with_name("wslimg"),
                tree=tree,
                output=output,
                cache=cache,
                key=number,
            )
            done = measure(
                command,
                cwd=Path.cwd(),
                output=output,
                prepare=partial(_prepare, case, tree, output),
            )
            found[case.title].append(done)
            print(f"{chosen.name} {number + 1}/{rounds}: {case.title}: {done}", flush=True)
            if not case.command:
                _compare(base, output, scratch / "check")
        shutil.rmtree(cache)
    shutil.rmtree(tree / "usr/share/wslimg-benchmark", ignore_errors=True)
    return _section(chosen, rounds, entries, size, found)


def _prepare(case: Case, tree: Path, output: Path) -> None:
    if case.change:
        case.change(tree)
    if not case.keep_output:
        output.unlink(missing_ok=True)


def _compare(base: str, output: Path, check: Path) -> None:
    subprocess.run(f"{base}{check} && cmp {output} {check}", shell=True, check=True)
    check.unlink()


def _section(chosen: Input, rounds: int, entries: int, size: int, found: dict[str, list[Measure]]) -> Section:
    cold = middle(found["cold"])
    return Section(
        name=f"repack-{chosen.name}",
        title=f"Packing {chosen.title} again",
        intro=f"{entries:,} entries, {size / 1e6:,.1f} MB as a tar archive; the median of {rounds} round(s). "
        "Ratios are against the first image, for which nothing was known. Every image but those of "
        "`wslimg pack` was compared byte by byte with one made without a cache. The tree is a plain folder "
        "whose times are trusted. All but two rows leave out the digest of the archive inside the image. "
        "Those of `wslimg pack` include its start and its check.",
        rows=tuple(Row(title=title, measure=middle(items), base=cold) for title, items in found.items()),
    )
