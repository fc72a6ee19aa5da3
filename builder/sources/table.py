"""The kinds of source, by the name that a recipe uses.

`recipe` is none of them: loading has put what that recipe starts from in its place.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from builder.sources.archive import ARCHIVE
from builder.sources.bootstrap import BOOTSTRAP
from builder.sources.directory import DIRECTORY
from builder.sources.dockerfile import DOCKERFILE
from builder.sources.image import IMAGE
from builder.sources.source import SourceKind

SOURCES: dict[str, SourceKind[Any, Any]] = {
    "bootstrap": BOOTSTRAP,
    "image": IMAGE,
    "dockerfile": DOCKERFILE,
    "archive": ARCHIVE,
    "directory": DIRECTORY,
}


def kind_of(source: BaseModel) -> SourceKind[Any, Any]:
    """The row that `source` is a model of."""
    return next(kind for kind in SOURCES.values() if isinstance(source, kind.model))
