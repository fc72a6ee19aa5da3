"""A minimal base, against `mmdebstrap --variant=minbase` on the same mirror."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from benchmarks.inputs import FOLDER, SUITE
from benchmarks.measure import Measure, measure, middle
from benchmarks.mirror import serve_mirror
from benchmarks.report import Row, Section

COLD = "**wslimg**, nothing cached"
CACHED = "**wslimg**, packages cached"
MMDEBSTRAP = "`mmdebstrap --variant=minbase`"
GOALS = {COLD: 1.5, CACHED: 2.5}


def run(rounds: int, scratch: Path) -> Section:
    """Every contender once a round; the first round, which fills the mirror, does not count."""
    found: dict[str, list[Measure]] = {COLD: [], CACHED: [], MMDEBSTRAP: []}
    with serve_mirror(FOLDER / "mirror") as address:
        for number in range(rounds + 1):
            # A new folder each time, none deleted before the end: for a minute ext4 avoids the inodes of
            # deleted files, and looking for others would be part of what is measured.
            folder = scratch / str(number)
            folder.mkdir()
            (folder / "done").touch()
            for title, command in list_commands(address).items():
                if title == CACHED:
                    keep_packages(folder)
                # Once: whatever comes second in a folder finds the first one's work, or refuses to.
                done = measure(command, cwd=folder, output=folder / "done", patience=1)
                print(f"bootstrap {number}/{rounds}: {title}: {done.wall:.2f} s", flush=True)
                if number:
                    found[title].append(done)
    base = middle(found[MMDEBSTRAP])
    for title, goal in GOALS.items():
        ratio = base.wall / middle(found[title]).wall
        print(f"{title}: {ratio:.2f}x as fast as mmdebstrap, wanted {goal}x", flush=True)
    return Section(
        name="bootstrap",
        title="A minimal base",
        intro=f"Debian {SUITE}: resolved, downloaded, verified, unpacked, configured, in a folder on one "
        f"file system. The median of {rounds} rounds; one mirror on loopback serves both.",
        rows=tuple(Row(title=title, measure=middle(found[title]), base=base) for title in found),
    )


def keep_packages(folder: Path) -> None:
    """A cache with what the cold run has downloaded, and nothing else."""
    shutil.copytree(folder / "cold" / "blobs", folder / "cached" / "blobs", copy_function=os.link)


def list_commands(address: str) -> dict[str, str]:
    """By title, in the order of the table."""
    wslimg = f"PYTHONPATH={Path(__file__).resolve().parents[1]} {sys.executable} -m benchmarks.base"
    lines = [
        f"deb {address}/debian {SUITE} main",
        f"deb {address}/debian {SUITE}-updates main",
        f"deb {address}/debian-security {SUITE}-security main",
    ]
    sources = " ".join(f"'{line}'" for line in lines)
    return {
        COLD: f"{wslimg} {address}/debian cold {SUITE}",
        CACHED: f"{wslimg} {address}/debian cached {SUITE}",
        MMDEBSTRAP: f"mmdebstrap --quiet --variant=minbase {SUITE} tree {sources}",
    }
