"""From a recipe to an image, against mmdebstrap, and what a second build costs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inputs import LARGE, SUITE, make
from benchmarks.measure import Measure, measure, middle
from benchmarks.report import Row, Section

PACKAGES = ("adduser", "ca-certificates", "sudo")
RECIPE = """schema: 1
name: image
version: "1"
source: {{debian: {suite}}}
steps:
  - packages: [{packages}]
  - overlay: overlay
first_run: {{mode: none}}
wsl: {{systemd: false}}
"""
COLD = "**wslimg build**, minimal Debian, nothing cached"
MICROSOFT = "Microsoft's command on the tree of 1 GB, which it only compresses"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """`command` runs in the scratch folder and writes `output`; `base` is the case it is compared with."""

    title: str
    command: str
    output: str
    base: str


def run(rounds: int, scratch: Path) -> Section:
    """Every case once a round, in the order of the table."""
    for name, packages in (("minimal", PACKAGES), ("full", LARGE.packages)):
        (scratch / name / "overlay/etc").mkdir(parents=True)
        (scratch / name / "overlay/etc/motd").write_text("hello\n")
        (scratch / name / "recipe.yaml").write_text(RECIPE.format(suite=SUITE, packages=", ".join(packages)))
    found: dict[str, list[Measure]] = {}
    cases = list_cases(make(LARGE))
    for number in range(rounds):
        for case in cases:
            done = measure(case.command, cwd=scratch, output=scratch / case.output)
            found.setdefault(case.title, []).append(done)
            print(f"build {number + 1}/{rounds}: {case.title}: {done}", flush=True)
    return Section(
        name="build",
        title="From a recipe to an image",
        intro=f"The median of {rounds} rounds, downloads from the same mirror included. `mmdebstrap` is "
        "compared with the cold build, everything below with Microsoft's command. wslimg also resolves, "
        "checks the image and lists what is inside.",
        rows=tuple(
            Row(title=case.title, measure=middle(found[case.title]), base=middle(found[case.base]))
            for case in cases
        ),
    )


def list_cases(tree: Path) -> tuple[Case, ...]:
    """The cases in their order: each relies on what the ones before it left in the cache."""
    variant = f"--variant=minbase --include={','.join(PACKAGES)}"
    full, microsoft = "full/out/image_1_amd64.wsl", "tar --numeric-owner --absolute-names -c * | gzip --best"
    return (
        Case(
            title=COLD,
            command=f"rm -rf minimal/cache minimal/recipe.lock; {_wslimg('minimal')}",
            output="minimal/out/image_1_amd64.wsl",
            base=COLD,
        ),
        Case(
            title=f"`mmdebstrap {variant} {SUITE} - \\| gzip --best`",
            command=f"mmdebstrap --quiet {variant} {SUITE} - | gzip --best > other.tar.gz",
            output="other.tar.gz",
            base=COLD,
        ),
        Case(
            title=MICROSOFT,
            command=f"out=$PWD/tree.tar.gz; cd {tree}; {microsoft} > $out",
            output="tree.tar.gz",
            base=MICROSOFT,
        ),
        Case(
            title="wslimg build, the same packages, nothing cached",
            command=f"rm -rf full/cache full/recipe.lock; {_wslimg('full')}",
            output=full,
            base=MICROSOFT,
        ),
        Case(
            title="wslimg build, one overlay file changed",
            command=f"date +%s.%N > full/overlay/etc/motd; {_wslimg('full')} --locked",
            output=full,
            base=MICROSOFT,
        ),
        Case(
            title="wslimg build, nothing changed",
            command=f"{_wslimg('full')} --locked",
            output=full,
            base=MICROSOFT,
        ),
    )


def _wslimg(name: str) -> str:
    program = Path(sys.executable).with_name("wslimg")
    return f"WSLIMG_CACHE=$PWD/{name}/cache {program} build {name}/recipe.yaml --out {name}/out --quiet"
