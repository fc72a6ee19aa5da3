"""Another recipe: this one goes on where that one ends.

    source:
      recipe: base/recipe.yaml             # relative to this recipe; that one may have a base of its own

The image has the base's source and steps, in their order, then its own steps. Files that the base names are
relative to the base, and templates of its steps see its name and version, so its layers are the same ones as
in its own build: what was built of it is not built again. What the base tells WSL is not inherited, nor are
its first run, catalog entry, output, checks and tests: these are the recipe's own, or the defaults.

The lock of this recipe holds everything, the base included. A lock beside the base is not read to build; if
it holds something else, that is reported.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from builder.sources.source import SourceModel


class BaseRecipe(SourceModel):
    """Another recipe. It is no row of the table: loading puts that recipe's source in its place."""

    short_form: ClassVar[str] = "path"
    only_short_form: ClassVar[bool] = True

    path: Path = Field(description="the file, relative to the recipe")

    @property
    def title(self) -> str:
        """The file's name."""
        return f"recipe {self.path}"

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """The recipe."""
        return (("path", self.path),)
