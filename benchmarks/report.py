"""What was found, as a section of `docs/benchmarks.md`."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Measure

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
INTRO = """# Benchmarks

Written by `make bench` (`python -m benchmarks [SUITE ...]`), which makes its inputs itself, runs everything
in alternation and takes medians. Memory is that of the largest process. Run it as root, on a machine that
does nothing else; CPU seconds tell more than wall seconds where that cannot be had.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One contender; ratios are taken against `base`."""

    title: str
    measure: Measure
    base: Measure
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """What one suite found."""

    name: str
    title: str
    intro: str
    rows: tuple[Row, ...]


def write(section: Section) -> None:
    """Replace the section in the page, or append it."""
    text = PAGE.read_text() if PAGE.exists() else INTRO
    begin, end = f"<!-- begin {section.name} -->", f"<!-- end {section.name} -->"
    block = f"{begin}\n{render(section)}{end}\n"
    found = re.search(re.escape(begin) + ".*?" + re.escape(end) + "\n", text, re.DOTALL)
    PAGE.write_text(text.replace(found.group(), block) if found else f"{text}\n{block}")


def render(section: Section) -> str:
    """The section as Markdown."""
    head = (
        "| what | wall s | against base | CPU s | against base | memory MiB | size MB | against base |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|\n"
    )
    rows = "".join(_row(row) for row in section.rows)
    others = max((row.measure.others for row in section.rows), default=0.0)
    noise = f"Other processes used up to {others:.0%} of the processors meanwhile."
    return f"## {section.title}\n\n{section.intro}\n\n{_machine()} {noise}\n\n{head}{rows}"


def _row(row: Row) -> str:
    mine, base = row.measure, row.base
    size = (
        f"{mine.size / 1e6:,.1f} | {mine.size / base.size - 1:+.1%}" if mine.size and base.size else "- | -"
    )
    title = row.title + (f" ({row.note})" if row.note else "")
    return (
        f"| {title} | {mine.wall:.2f} | {_ratio(mine.wall, base.wall)} | {mine.cpu:.2f} | "
        f"{_ratio(mine.cpu, base.cpu)} | {mine.memory / 2**20:.0f} | {size} |\n"
    )


def _ratio(mine: float, base: float) -> str:
    if mine == base:
        return ""
    return f"{mine / base:.1f}x slower" if mine > base else f"{base / mine:.1f}x faster"


def _machine() -> str:
    models = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    model = models[0] if models else platform.machine()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}; {len(os.sched_getaffinity(0))} cores of {model}, "
        f"Linux {platform.release()}, Python {platform.python_version()}."
    )
