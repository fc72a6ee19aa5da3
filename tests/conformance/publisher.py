"""A publisher in a process of its own, which a test may kill."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from builder.publish.choose import open_target
from builder.publish.places import open_catalog
from builder.publish.target import Target
from tests.unit.publish.catalogs import add


@dataclass(frozen=True)
class Place:
    """An address, and the variables with which it can be written to; `lists` is what `--index-to` names.
    Called, it is another view of the same place, as another process has it."""

    address: str
    environment: Mapping[str, str] = field(default_factory=dict)
    lists: str = ""

    def __call__(self) -> Target:
        return open_catalog(self.address, self.lists) if self.lists else open_target(self.address)


def publish_in_process(place: Place, number: int, folder: Path) -> None:
    """Runs in a new process: obstore's threads do not survive a fork."""
    os.environ.update(place.environment)
    add(place(), f"1.{number}", folder=folder, data=os.urandom(10) + b"x" * 100_000)
