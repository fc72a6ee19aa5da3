"""The kinds of step. A new kind is one file beside this one and one line in `Step`."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from builder.model.fields import RecipeModel
from builder.steps.files import Files
from builder.steps.overlay import Overlay
from builder.steps.packages import Packages
from builder.steps.remove import RemoveFiles
from builder.steps.run import Run
from builder.steps.step import StepModel
from builder.steps.users import Users


class Step(RecipeModel):
    """One step of a recipe: a mapping with exactly one key, which is its kind."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    packages: Packages | None = Field(default=None, description="install or remove packages")
    overlay: Overlay | None = Field(default=None, description="lay a folder over the image")
    files: Files | None = Field(default=None, description="put single files, links and folders")
    users: Users | None = Field(default=None, description="have accounts and groups")
    run: Run | None = Field(default=None, description="run a command or a script")
    remove: RemoveFiles | None = Field(default=None, description="remove files and folders")

    @model_validator(mode="after")
    def _check_one_kind(self) -> Step:
        given = sorted(self.model_fields_set)
        if len(given) != 1:
            found = f"has {' and '.join(given)}" if given else "has no kind"
            raise ValueError(f"{found}, expected exactly one of {', '.join(KINDS)}")
        if getattr(self, given[0]) is None:
            raise ValueError(f"{given[0]} is empty")
        return self

    @property
    def kind(self) -> str:
        """The key: packages, overlay, ..."""
        return next(iter(self.model_fields_set))

    @property
    def model(self) -> StepModel[Any]:
        """The step itself."""
        model: StepModel[Any] = getattr(self, self.kind)
        return model


KINDS: tuple[str, ...] = tuple(Step.model_fields)
