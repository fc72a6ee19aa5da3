"""Checking an image, against `gzip -dc` of it: time, and the memory of the check."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.inputs import LARGE, make, warm
from benchmarks.measure import Measure, measure, middle
from benchmarks.report import Row, Section

GZIP = "`gzip -dc`"
CHECK = "**wslimg check**"
MOST_TIME = 1.3
MOST_MEMORY = 150 << 20
ENTRY = "from builder.cli.main import run; run()"


def run(rounds: int, scratch: Path) -> Section:
    """Both once a round, `rounds` times."""
    image = scratch / "large.wsl"
    entries, size = pack(image)
    commands = {
        GZIP: f"gzip -dc {image} >/dev/null",
        # A bare tree breaks rules, which costs time as well.
        CHECK: f"{sys.executable} -c '{ENTRY}' check {image} >/dev/null || [ $? -eq 5 ]",
    }
    found: dict[str, list[Measure]] = {title: [] for title in commands}
    for number in range(rounds):
        for title, command in commands.items():
            found[title].append(measure(command, cwd=Path.cwd(), output=image))
            print(f"check {number + 1}/{rounds}: {title}: {found[title][-1]}", flush=True)
    base, ours = middle(found[GZIP]), middle(found[CHECK])
    print(
        f"check: {ours.wall / base.wall:.2f}x the time of gzip -dc, wanted at most {MOST_TIME}x", flush=True
    )
    print(f"check: {ours.memory >> 20} MiB, wanted at most {MOST_MEMORY >> 20}", flush=True)
    return Section(
        name="check",
        title="Checking an image",
        intro=f"{entries:,} entries, {size / 1e6:,.1f} MB as a tar archive, packed by wslimg. The check "
        f"reads it all and judges every member and file. The median of {rounds} alternating rounds.",
        rows=(Row(title=GZIP, measure=base, base=base), Row(title=CHECK, measure=ours, base=base)),
    )


def pack(image: Path) -> tuple[int, int]:
    """Make the image; (entries, bytes as a tar)."""
    tree = make(LARGE)
    measure(f"{sys.executable} -m benchmarks.packer {tree} {image} preset=fast", cwd=Path.cwd(), output=tree)
    return warm(tree)
