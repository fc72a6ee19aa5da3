"""From a recipe to an image, against mmdebstrap, and what a second build costs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.disk import new_disk
from benchmarks.dockerfile import build_and_export, dockerfile_engine
from benchmarks.inputs import LARGE, SUITE
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
COLD = "**wslimg build**, nothing cached"
MICROSOFT = "Microsoft's command on the tree of this image, which it only compresses"
MINIMAL, FULL = "minimal/out/image_1_amd64.wsl", "full/out/image_1_amd64.wsl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """`command` runs in the scratch folder after `prepare` and writes `output`."""

    title: str
    command: str
    output: str
    prepare: str = "true"


def run(rounds: int, scratch: Path) -> Section:
    """A minimal Debian."""
    with new_disk(scratch) as disk:
        _write_recipe(disk / "minimal", PACKAGES)
        with dockerfile_engine(disk / "minimal", PACKAGES) as engine:
            found = _measure_all([*list_minimal(), *_dockerfile(engine), *_mkosi()], rounds, disk)
    docker = "Docker's engine works in memory; its processes are not in the CPU seconds." if engine else ""
    return _section(
        "build",
        "From a recipe to an image",
        f"The median of {rounds} alternating rounds on an ext4 of their own, downloads from the same mirror "
        f"included. wslimg also resolves, checks the image and lists what is inside. {docker}".rstrip(),
        found,
    )


def run_again(rounds: int, scratch: Path) -> Section:
    """A large image, of which little or nothing changed."""
    _write_recipe(scratch / "full", LARGE.packages)
    return _section(
        "rebuild",
        f"{LARGE.title}, built again",
        f"The median of {rounds} rounds. Ratios are against the compression of the same tree.",
        _measure_all(list_full(), rounds, scratch),
    )


def _write_recipe(folder: Path, packages: tuple[str, ...]) -> None:
    (folder / "overlay/etc").mkdir(parents=True)
    (folder / "overlay/etc/motd").write_text("hello\n")
    (folder / "recipe.yaml").write_text(RECIPE.format(suite=SUITE, packages=", ".join(packages)))


def _measure_all(cases: list[Case], rounds: int, scratch: Path) -> dict[Case, list[Measure]]:
    """Every case once a round, in their order."""
    found: dict[Case, list[Measure]] = {case: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            subprocess.run(case.prepare, shell=True, check=True, cwd=scratch)
            done = measure(case.command, cwd=scratch, output=scratch / case.output, patience=1)
            found[case].append(done)
            print(f"build {number + 1}/{rounds}: {case.title}: {done}", flush=True)
    return found


def list_minimal() -> list[Case]:
    """A minimal Debian. Each case relies on what the ones before it left in the cache."""
    variant = f"--variant=minbase --include={','.join(PACKAGES)}"
    return [
        Case(
            title=f"`mmdebstrap {variant} {SUITE} - \\| gzip --best`",
            command=f"TMPDIR=$PWD mmdebstrap --quiet {variant} {SUITE} - | gzip --best > other.tar.gz",
            output="other.tar.gz",
        ),
        Case(
            title=COLD,
            prepare=_forget("minimal"),
            command=_wslimg("minimal"),
            output=MINIMAL,
        ),
        Case(
            title="wslimg build, the base cached, another list of packages",
            prepare="cd minimal; sed 's/sudo/sudo, less/; s/name: image/name: more/' recipe.yaml > more.yaml",
            command=_wslimg("minimal", "more.yaml"),
            output="minimal/out/more_1_amd64.wsl",
        ),
        Case(
            title="wslimg build, one overlay file changed",
            prepare="date +%s.%N > minimal/overlay/etc/motd",
            command=_wslimg("minimal") + " --locked",
            output=MINIMAL,
        ),
        Case(title="wslimg build, nothing changed", command=_wslimg("minimal") + " --locked", output=MINIMAL),
    ]


def list_full() -> list[Case]:
    """The image of 1 GB. The first case makes the tree that the second one compresses."""
    compress = "tar --numeric-owner --absolute-names -c * | gzip --best"
    return [
        Case(
            title=MICROSOFT,
            prepare=f"test -e {FULL} || {{ {_forget('full')}; {_wslimg('full')}; }}; "
            f"rm -rf tree; mkdir tree; tar -xf {FULL} -C tree",
            command=f"out=$PWD/tree.tar.gz; cd tree; {compress} > $out",
            output="tree.tar.gz",
        ),
        Case(
            title="**wslimg build**, one overlay file changed",
            prepare="date +%s.%N > full/overlay/etc/motd",
            command=_wslimg("full") + " --locked",
            output=FULL,
        ),
        Case(title="wslimg build, nothing changed", command=_wslimg("full") + " --locked", output=FULL),
    ]


def _dockerfile(engine: str) -> list[Case]:
    """On the `engine` at this address, if there is one. Base and packages are at hand, and in memory."""
    if not engine:
        return []
    what = "a Dockerfile with the same packages, base and mirror local: `docker build`, `docker export"
    return [
        Case(
            title=f"{what} \\| gzip --best`",
            command="cd minimal; " + build_and_export(engine, output="export.tar.gz", options="--no-cache"),
            output="minimal/export.tar.gz",
        ),
        Case(
            title="the same, one file changed that the last `COPY` takes",
            prepare="date +%s.%N > minimal/overlay/etc/motd",
            command="cd minimal; " + build_and_export(engine, output="export.tar.gz"),
            output="minimal/export.tar.gz",
        ),
    ]


def _mkosi() -> list[Case]:
    if shutil.which("mkosi") is None:
        return []
    # Without the documentation it starts systemd-nspawn, which wants a system bus.
    command = (
        f"mkosi --distribution=debian --release={SUITE} --format=tar --compress-output=no --bootable=no "
        f"--with-docs=yes --package={','.join(PACKAGES)} --workspace-dir=$PWD --output=mkosi.tar --force "
        "build && gzip --best < mkosi.tar > mkosi.tar.gz"
    )
    version = subprocess.run(
        ["mkosi", "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return [
        Case(
            title=f"{version}, which adds systemd: `{command}`",
            command=f"({command}) > mkosi.log 2>&1 || {{ tail -n 30 mkosi.log >&2; exit 1; }}",
            output="mkosi.tar.gz",
        )
    ]


def _section(name: str, title: str, intro: str, found: dict[Case, list[Measure]]) -> Section:
    """The first case is what the others are compared with."""
    base = middle(next(iter(found.values())))
    rows = tuple(Row(title=case.title, measure=middle(done), base=base) for case, done in found.items())
    return Section(name=name, title=title, intro=intro, rows=rows)


def _forget(name: str) -> str:
    """No cache and no lock."""
    return f"rm -rf {name}/recipe.lock {name}/cache"


def _wslimg(name: str, recipe: str = "recipe.yaml") -> str:
    program = Path(sys.executable).with_name("wslimg")
    return f"WSLIMG_CACHE=$PWD/{name}/cache {program} build {name}/{recipe} --out {name}/out --quiet"
