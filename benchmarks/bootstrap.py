"""A minimal base, against `mmdebstrap --variant=minbase` on the same mirror."""

from __future__ import annotations

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
    (scratch / "done").touch()
    with serve_mirror(FOLDER / "mirror") as address:
        commands = list_commands(address)
        for number in range(rounds + 1):
            for title, command in commands.items():
                done = measure(command, cwd=scratch, output=scratch / "done")
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


def list_commands(address: str) -> dict[str, str]:
    """By title, in the order of the table. Each starts by deleting what its last run left."""
    wslimg = f"{sys.executable} -m benchmarks.base {address}/debian cache {SUITE}"
    wslimg = f"PYTHONPATH={Path(__file__).resolve().parents[1]} {wslimg}"
    lines = [
        f"deb {address}/debian {SUITE} main",
        f"deb {address}/debian {SUITE}-updates main",
        f"deb {address}/debian-security {SUITE}-security main",
    ]
    sources = " ".join(f"'{line}'" for line in lines)
    return {
        COLD: f"rm -rf cache; {wslimg}",
        CACHED: f"rm -rf cache/layers cache/failed cache/locks cache/layers.flavour; {wslimg}",
        MMDEBSTRAP: f"rm -rf tree; mmdebstrap --quiet --variant=minbase {SUITE} tree {sources}",
    }
