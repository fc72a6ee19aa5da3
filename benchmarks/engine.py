"""An image of a container engine into a `.wsl`, against the commands that the engine's users know."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inputs import LARGE, make, warm
from benchmarks.measure import Measure, measure, middle
from benchmarks.report import Row, Section
from tests.conformance.dockerd import running_dockerd

IMAGE = "large:1"
OURS = "**wslimg convert**, nothing cached"
PARTS = "`docker save` to nowhere, then wslimg's packing of the same tree from a folder"
EXPORT = "`docker export \\| gzip --best` (Microsoft's documentation)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """`command` runs in the scratch folder and writes `output`."""

    title: str
    command: str
    output: str = "image.wsl"


def run(rounds: int, scratch: Path) -> Section:
    """Every case once a round, on an engine that is started for it and has the large tree as an image."""
    tree = make(LARGE)
    entries, size = warm(tree)
    found: dict[str, list[Measure]] = {}
    with running_dockerd() as address:
        container = _import(tree, address)
        for number in range(rounds):
            for case in list_cases(tree, container):
                command = f"export DOCKER_HOST={address} WSLIMG_CACHE=$PWD/cache; {case.command}"
                done = measure(command, cwd=scratch, output=scratch / case.output)
                found.setdefault(case.title, []).append(done)
                print(f"image {number + 1}/{rounds}: {case.title}: {done}", flush=True)
    base = middle(found[OURS])
    return Section(
        name="image",
        title="From an image of a container engine",
        intro=f"An image of one layer, {entries:,} entries, {size / 1e6:,.1f} MB, of a Docker engine that "
        f"keeps it in memory; the median of {rounds} alternating rounds. Ratios are against wslimg, which "
        "also checks the image and lists what is inside. The engine's processes are not in the CPU seconds.",
        rows=tuple(Row(title=title, measure=middle(items), base=base) for title, items in found.items()),
    )


def list_cases(tree: Path, container: str) -> tuple[Case, ...]:
    """The cases in their order; `container` is one of the image, which has never been started."""
    python = sys.executable
    convert = f"{Path(python).with_name('wslimg')} convert docker-daemon:{IMAGE} -o image.wsl --quiet"
    return (
        Case(title=OURS, command=f"rm -rf cache; {convert}"),
        Case(title="wslimg convert, nothing changed", command=convert),
        Case(
            title=PARTS,
            command=f"docker save {IMAGE} > /dev/null; export PYTHONPATH={Path.cwd()}; "
            f"{python} -m benchmarks.packer {tree} $PWD/packed.wsl",
            output="packed.wsl",
        ),
        Case(
            title=EXPORT,
            command=f"docker export {container} | gzip --best > export.tar.gz",
            output="export.tar.gz",
        ),
    )


def _import(tree: Path, address: str) -> str:
    """Have `tree` as IMAGE; the id of a container of it."""
    command = f"tar --numeric-owner -C {tree} -c . | docker import - {IMAGE}; docker create {IMAGE} sh"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-ec", command],
        env={"DOCKER_HOST": address, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout.split()[-1]
