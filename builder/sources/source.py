"""What every kind of source provides; the kinds are rows of `builder.sources.table`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import Sink, discard
from builder.core.http import Http
from builder.model.entry import Entry
from builder.model.fields import RecipeModel
from builder.model.images import ImageStore
from builder.model.lock import ArchitectureLock
from builder.model.operation import Operation
from builder.model.surroundings import Surroundings


class SourceModel(RecipeModel):
    """What a recipe says of its source."""

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        raise NotImplementedError

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """The files of the host that it names, with the keys that do; relative to the recipe's folder."""
        return ()


Model = TypeVar("Model", bound=SourceModel)
Locked = TypeVar("Locked", bound=BaseModel)


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRequest:
    """The packages that the step at position `step` (0-based) asks for; `versions` pins some of them.
    `place` is where the recipe asks (`file:line:column`), for messages."""

    step: int
    names: tuple[str, ...]
    place: str = ""
    recommends: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)


def no_images() -> AbstractContextManager[ImageStore]:
    """The `images` of who has no container engine at hand. Raises ResolveError."""
    raise ResolveError("needs a container engine, and none is asked here", fix="use `wslimg build`")


@dataclass(frozen=True, kw_only=True)
class Supply:
    """Where sources get and keep what they are made of.

    `folder` is what the recipe's paths are relative to. `mirror` is what the command line says and outranks
    the recipe. `now` (seconds since the epoch) only decides whether signed metadata is still valid. `http`
    None means: as this machine's settings have it. `images` opens a container engine, for the sources that
    need one. `private` are patterns of absolute paths: files about the image, which it is not made of.
    """

    blobs: Blobs
    folder: Path = field(default_factory=Path)
    mirror: str = ""
    http: Http | None = None
    now: int = field(default_factory=lambda: int(time.time()))
    sink: Sink = discard
    images: Callable[[], AbstractContextManager[ImageStore]] = no_images
    private: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceKind(Generic[Model, Locked]):
    """One kind of source.

    `resolve` finds out what the source is now, with the packages that steps add to it; its last argument
    holds packages at versions, by name. `fetch` has everything the lock names among the blobs. The rest
    needs the lock alone: `inputs` are the lines that the key of the base digests, `entries` yields the
    base, and `operations` finish it in a container. The second argument of all three is the architecture.
    `surround` lets the package manager of networked commands reach what the build itself uses. `describe`
    says in a few words what is locked, `remarks` what of it the image will not do, a line each. `changed`
    says in words what of the host a lock does not hold as it is now; its last arguments are
    `folder` and `private` of the supply.
    """

    model: type[Model]
    locked: type[Locked]
    resolve: Callable[[Model, str, tuple[StepRequest, ...], Supply, Mapping[str, str]], ArchitectureLock]
    fetch: Callable[[Model, ArchitectureLock, Supply], None]
    inputs: Callable[[Locked, str], tuple[str, ...]]
    entries: Callable[[Locked, str, Blobs], Iterator[Entry]]
    operations: Callable[[Locked, str], tuple[Operation, ...]]
    surround: Callable[[Model, Supply], AbstractContextManager[Surroundings]]
    describe: Callable[[Locked], str]
    remarks: Callable[[ArchitectureLock], tuple[str, ...]] = lambda _lock: ()
    changed: Callable[[Model, ArchitectureLock, Path, tuple[str, ...]], str] = lambda *_arguments: ""


def no_surroundings(_source: SourceModel, _supply: Supply) -> AbstractContextManager[Surroundings]:
    """The `surround` of a kind that knows nothing of package managers."""
    return nullcontext(Surroundings())


def no_operations(_locked: BaseModel, _architecture: str) -> tuple[Operation, ...]:
    """The `operations` of a kind whose base is complete."""
    return ()
