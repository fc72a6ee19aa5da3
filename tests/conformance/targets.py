"""The targets that can run here, one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.publish.directory import DirectoryTarget
from builder.publish.target import Target

Open = Callable[[], Target]
"""Another view of the same place, as another process has it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """`start` makes an empty place below a folder for as long as its block lasts."""

    name: str
    start: Callable[[Path], AbstractContextManager[Open]]


@contextmanager
def a_directory(folder: Path) -> Iterator[Open]:
    yield lambda: DirectoryTarget(folder)


ROWS = (Row(name="directory", start=a_directory),)
