"""The protocol every engine implements, and nothing else.

A layer is named by the key of its inputs (64 hex digits) and never changes once it is published.
Engines do not know recipes, plans or packing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from builder.core.errors import ExecuteError
from builder.core.events import Sink
from builder.model.entry import Entry
from builder.model.images import ImageStore
from builder.model.operation import Exec, PutEntry, Remove
from builder.model.surroundings import Surroundings


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """Whether an engine works here, found out by doing; if not, why and what to do."""

    ok: bool
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A published layer: `chain` holds the keys from the base (first) to this one (last)."""

    chain: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key of the topmost layer."""
        return self.chain[-1]


class StepFailedError(ExecuteError):
    """A command ended with `exit_status` (128+n for signal n, 124 for a time-out)."""

    exit_status: int = 0

    def __init__(self, message: str, *, exit_status: int = 0, where: str = "", fix: str = "") -> None:
        super().__init__(message, where=where, fix=fix)
        self.exit_status = exit_status


class Engine(Protocol):
    """Runs operations on layers. Methods raise ExecuteError; a failed one leaves no layer behind.

    `surroundings` are for the networked commands that follow.
    """

    name: str
    surroundings: Surroundings

    def layer(self, key: str) -> Layer | None:
        """The published layer `key`, if its whole chain is there."""

    def base(self, key: str, entries: Callable[[], Iterable[Entry]]) -> Layer:
        """A first layer filled with `entries`: parents before children, link targets before links.

        `entries` is called where uids are those of the image, which may be another process.
        """

    def put(self, parent: Layer, key: str, entries: Iterable[PutEntry]) -> Layer:
        """Lay `entries` over `parent`, as `PutEntry` describes."""

    def remove(self, parent: Layer, key: str, remove: Remove) -> Layer:
        """Take out what `remove` matches."""

    def run(self, parent: Layer, key: str, exec_: Exec, sink: Sink) -> Layer:
        """Run the command on `parent`. Its output reaches `sink` live as `Output` events.

        Raises StepFailedError when it does not exit with 0; the tree it left can then be opened by
        `shell` under the same key until `forget` or the next `run` of that key.
        """

    def read(self, layer: Layer, path: str) -> bytes | None:
        """The content of the regular file `path` (links followed inside the image), None if there is none."""

    def entries(self, layer: Layer) -> Iterator[Entry]:
        """The merged tree: depth first, siblings by raw bytes, every directory explicit, the root not.

        The first sorted name of a file carries its content, its other names are HARDLINKs to it.
        Each FILE has an opener and, as layers never change, an identity. A layer that is made again under
        its key has other identities: what a step on the network leaves is not the same each time.
        """

    def fingerprint(self, layer: Layer) -> str:
        """64 hex digits that name the merged tree as the identities of its entries do."""

    def shell(self, layer: Layer, *, failed: str = "", argv: tuple[str, ...] = ()) -> int:
        """An interactive shell on a throw-away copy of `layer`, or of the tree that the failed run of
        key `failed` left. Returns its exit status."""

    def forget(self, keys: Iterable[str]) -> None:
        """Delete layers and failed trees; a key that is not there is no error."""

    def close(self) -> None:
        """Release everything the engine holds."""


class ImageEngine(Engine, ImageStore, Protocol):
    """An engine that also has images of its own and builds Dockerfiles, as container engines do."""
