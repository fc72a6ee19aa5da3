"""A tree into an image, against the commands people know."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inputs import Input, make, warm
from benchmarks.measure import Measure, measure, middle
from benchmarks.report import Row, Section

PYTHON_TARFILE = "import sys, tarfile; tarfile.open(sys.argv[2], 'w:gz').add(sys.argv[1], '.')"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """`command` packs `{tree}` into `{output}`. `tools` must be on PATH. Slow ones get the smaller
    `inputs` only."""

    title: str
    command: str
    tools: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("small", "large")


OURS = Contender(
    title="**wslimg**",
    command="{python} -m benchmarks.packer {tree} {output}",
    inputs=("small", "large", "huge"),
)

CONTENDERS = (
    OURS,
    Contender(
        title="`wslimg pack --no-cache`, which also checks the image",
        command="{wslimg} pack {tree} -o {output} --no-cache --quiet || test $? = 5",
        inputs=("small", "large", "huge"),
    ),
    Contender(title="wslimg, preset fast", command=OURS.command + " preset=fast"),
    Contender(title="wslimg, single member", command=OURS.command + " single=1"),
    Contender(
        title="`tar --numeric-owner --absolute-names -c * \\| gzip --best` (Microsoft's documentation)",
        command="cd {tree} && tar --numeric-owner --absolute-names -c * | gzip --best > {output}",
    ),
    Contender(title="`tar -c . \\| gzip`", command="cd {tree} && tar -c . | gzip > {output}"),
    Contender(
        title="`tar -c . \\| pigz -9`", command="cd {tree} && tar -c . | pigz -9 > {output}", tools=("pigz",)
    ),
    Contender(
        title="`tar -c . \\| pigz`",
        command="cd {tree} && tar -c . | pigz > {output}",
        tools=("pigz",),
        inputs=("small", "large", "huge"),
    ),
    Contender(title="`bsdtar -czf`", command="cd {tree} && bsdtar -czf {output} .", tools=("bsdtar",)),
    Contender(
        title="Python `tarfile` `w:gz`",
        command='cd {tree} && {python} -c "' + PYTHON_TARFILE + '" . {output}',
        inputs=("small",),
    ),
)


def run(chosen: Input, rounds: int, scratch: Path) -> Section:
    """Every contender once a round, `rounds` times."""
    tree = make(chosen)
    entries, size = warm(tree)
    here = [
        item
        for item in CONTENDERS
        if chosen.name in item.inputs and all(shutil.which(tool) for tool in item.tools)
    ]
    found: dict[str, list[Measure]] = {item.title: [] for item in here}
    for number in range(rounds):
        for item in here:
            output = scratch / "image"
            command = item.command.format(
                tree=tree,
                output=output,
                python=sys.executable,
                wslimg=Path(sys.executable).with_name("wslimg"),
            )
            output.unlink(missing_ok=True)
            found[item.title].append(measure(command, cwd=Path.cwd(), output=output))
            print(f"{chosen.name} {number + 1}/{rounds}: {item.title}: {found[item.title][-1]}", flush=True)
    ours = middle(found[OURS.title])
    rows = tuple(Row(title=title, measure=middle(measures), base=ours) for title, measures in found.items())
    return Section(
        name=f"pack-{chosen.name}",
        title=f"Packing {chosen.title}",
        intro=f"{entries:,} entries, {size / 1e6:,.1f} MB as a tar archive, read from memory; the median of "
        f"{rounds} alternating rounds. Ratios are against wslimg with its defaults.",
        rows=rows,
    )
