"""The protocol of everything a catalog can be written to, and the errors its kinds share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from builder.core.errors import PublishError

Count = Callable[[int], None]
"""Told how many more bytes were transferred."""


class MissingError(PublishError):
    """There is no such file in the catalog."""


class ConflictError(PublishError):
    """Somebody else wrote the file first: the condition of a write did not hold."""


class BusyError(PublishError):
    """Somebody else holds the lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Info:
    """`size` in bytes, `modified` in seconds since the epoch by the target's clock (0 if it does not say);
    `tag` changes with the content."""

    size: int
    modified: float
    tag: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a target can be relied upon: whether the conditions of `put_bytes` are honoured."""

    conditional: bool


class Target(Protocol):
    """Files under relative paths with `/`. A reader sees a file whole, or not at all.

    Every method raises PublishError that names the place when the target cannot be reached, refuses, or is
    full. Any number of processes on any number of machines may write at once.
    """

    @property
    def place(self) -> str:
        """What to call the target in messages, without secrets."""

    def capabilities(self) -> Capabilities:
        """What this target honours; found out by trying where it is not known."""

    def stat(self, path: str) -> Info | None:
        """What is at `path`, None if nothing is."""

    def get(self, path: str) -> bytes:
        """The content of `path`. Raises MissingError."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """The content of `path` in pieces. Raises MissingError."""

    def put_file(self, path: str, source: Path, count: Count) -> None:
        """Store the file `source` as `path`, replacing what is there."""

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        """Store `data` as `path`. Raises ConflictError unless what is there has the tag `if_match`, or with
        `if_absent` if anything is there; only where `capabilities().conditional`."""

    def list(self, prefix: str) -> tuple[str, ...]:
        """The paths of all files below the folder `prefix` (ends with `/`), sorted; () without the folder."""

    def delete(self, path: str) -> None:
        """Remove `path`; that it is not there is no error."""

    def lock(self, path: str) -> AbstractContextManager[None]:
        """Hold the lock file `path` during the block. Raises BusyError while somebody else does."""
