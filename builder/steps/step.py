"""What every kind of step is: a part of the recipe that reads its inputs once and then only decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from builder.model.fields import RecipeModel
from builder.model.lock import StepPackages
from builder.model.operation import Operation
from builder.steps.families import Family

Inputs = TypeVar("Inputs")

INPUTS = "/run/wslimg/inputs"
"""Where the inputs of an Exec are in the image."""

TEMPLATE_VARIABLES = ("architecture", "codename", "distribution", "family", "name", "release", "version")


@dataclass(frozen=True, kw_only=True, slots=True)
class StepContext:
    """What planning knows. `time` is the image's, in seconds since the epoch; `packages` what the lock
    holds for this very step."""

    family: Family
    architecture: str
    name: str
    version: str
    time: int
    os_release: Mapping[str, str] = field(default_factory=dict)
    packages: StepPackages | None = None

    def environment(self, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        """The environment of a command: the same everywhere, then `more`; sorted."""
        base = {
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SOURCE_DATE_EPOCH": str(self.time),
        }
        return tuple(sorted({**base, **dict(more)}.items()))

    @property
    def template_variables(self) -> dict[str, str]:
        """What a template can use, under the names in TEMPLATE_VARIABLES."""
        return {
            "name": self.name,
            "version": self.version,
            "architecture": self.architecture,
            "family": self.family.name,
            "distribution": self.os_release.get("ID", ""),
            "release": self.os_release.get("VERSION_ID", ""),
            "codename": self.os_release.get("VERSION_CODENAME", ""),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class InputProblem:
    """Something wrong with a file that a step names.

    `location` leads from the step's value to the key that names it. `place` is set where the problem
    is inside another file ("motd.j2:3").
    """

    location: tuple[str | int, ...]
    message: str
    place: str = ""


class InputProblems(Exception):  # noqa: N818 - it carries problems and is none of its own
    """All problems of one step; never shown to users, loading turns it into its report."""

    def __init__(self, problems: tuple[InputProblem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems


class StepModel(RecipeModel, ABC, Generic[Inputs]):
    """A step as the recipe has it."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, in at most a line."""

    @abstractmethod
    def read_inputs(self, folder: Path) -> Inputs:
        """Read and digest every file the step names, relative to `folder`. Raises InputProblems."""

    @abstractmethod
    def operations(self, context: StepContext, inputs: Inputs) -> tuple[Operation, ...]:
        """What to do, decided from `context` and `inputs` alone. Pure."""
