"""Remove files and folders.

::

    - remove: ["/usr/share/doc/**", /etc/update-motd.d]

Absolute paths; `*` and `?` do not match `/`, `**` does. A folder goes with all that is below it; what is
not there is no error.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from builder.model.fields import ImagePath, problem
from builder.model.operation import Operation, Remove
from builder.steps.step import StepContext, StepModel


class RemoveFiles(StepModel[None]):
    """Patterns of what to remove."""

    short_form: ClassVar[str] = "patterns"

    patterns: tuple[ImagePath, ...] = Field(min_length=1, description="absolute paths with wildcards")

    @field_validator("patterns")
    @classmethod
    def _check_not_everything(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        if {"/", "/*", "/**"} & set(patterns):
            raise problem("something less than the whole image")
        return patterns

    @property
    def title(self) -> str:
        """The patterns."""
        return "remove: " + " ".join(self.patterns)

    def read_inputs(self, folder: Path) -> None:
        """Nothing."""

    def operations(self, context: StepContext, inputs: None) -> tuple[Operation, ...]:  # noqa: ARG002
        """One removal; the order of the patterns has no meaning."""
        return (Remove(patterns=tuple(sorted(set(self.patterns)))),)
