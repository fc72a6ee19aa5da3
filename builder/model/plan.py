"""The closed list of what a build does; nothing outside it may influence the result."""

from __future__ import annotations

from dataclasses import dataclass

from builder.model.operation import Exec, Operation


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedBase:
    """What the first layer is filled from. `inputs` are the lines that its key digests."""

    key: str
    title: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedOperation:
    """One operation with the key of the layer it leaves.

    `title` is for people, `place` is where the recipe asks for it (`file:line:column`, empty for
    operations that the recipe implies), `step` its 0-based position in the recipe or -1.
    """

    key: str
    parent: str
    title: str
    place: str
    step: int
    operation: Operation


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All operations for one image of one architecture. `time` clamps every mtime, in epoch seconds."""

    name: str
    version: str
    architecture: str
    time: int
    base: PlannedBase
    operations: tuple[PlannedOperation, ...]

    @property
    def key(self) -> str:
        """The key of the finished tree."""
        return self.operations[-1].key if self.operations else self.base.key

    @property
    def commands(self) -> tuple[PlannedOperation, ...]:
        """The operations that need a container."""
        return tuple(planned for planned in self.operations if isinstance(planned.operation, Exec))
