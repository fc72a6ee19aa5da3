"""Extracts a whole archive: for the verdict alone, or into a folder."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from builder.core.errors import ExecuteError, WslimgError
from builder.extraction.extraction import Extraction
from builder.extraction.names import show
from builder.extraction.shapes import Oddity
from builder.extraction.tree import Node
from builder.extraction.write import Writer
from builder.tar.compression import CompressionError
from builder.tar.member import Member
from builder.tar.parse import TarError
from builder.tar.read import open_archive_file

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOLD = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Unwritten:
    """What this host could not write though WSL can: a raw path, and the kernel's reason."""

    path: bytes
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Extracted:
    """How extracting an archive went. `failure` is why it ended before the archive did."""

    extraction: Extraction
    failure: WslimgError | None = None
    unwritten: tuple[Unwritten, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether bsdtar exits with 1, and WSL aborts the import."""
        return self.failure is not None or self.extraction.refused

    @property
    def rule(self) -> str:
        """The check that tells the first reason of a refusal, "" without one."""
        shapes = [oddity.shape for oddity in self._refusals()]
        return shapes[0].rule if shapes else "WSL001" if self.failure else ""

    @property
    def complaints(self) -> tuple[str, ...]:
        """The reasons of a refusal, a line each, at most ten."""
        told = [
            f"{show(oddity.path) or '(empty name)'}: {oddity.shape.meaning}"
            + (f" ({oddity.detail})" if oddity.detail else "")
            for oddity in self._refusals()
        ]
        return (*told[:_TOLD], *([str(self.failure)] if self.failure else []))

    def _refusals(self) -> list[Oddity]:
        return [oddity for oddity in self.extraction.oddities if self.extraction.refuses(oddity.shape)]


def judge_archive(image: Path, extraction: Extraction) -> Extracted:
    """Extract `image` in memory alone. Raises OSError when it cannot be read; damage is a failure."""
    return Extracted(extraction=extraction, failure=_run(image, extraction, lambda *_: None))


def extract_to(image: Path, folder: Path, extraction: Extraction) -> Extracted:
    """Write into the empty `folder` what bsdtar would, as root or root of a user namespace.

    As with bsdtar the rest is written where a member is refused. Nothing is written outside `folder`,
    whatever the archive says. Raises OSError when `image` cannot be read, ExecuteError when the disk is full.
    """
    missing: list[Unwritten] = []

    def leave_out(path: bytes, error: OSError) -> None:
        if error.errno in _FULL:
            raise ExecuteError("the disk is full", where=str(folder), fix="free some room") from error
        missing.append(Unwritten(path=path, reason=error.strerror or str(error)))

    with Writer(folder, acls=extraction.acls) as writer:

        def take(member: Member, path: bytes, node: Node) -> None:
            try:
                writer.write(member, path, node)
            except OSError as error:
                leave_out(path, error)

        failure = _run(image, extraction, take)
        for path, error in writer.finish():
            leave_out(path, error)
    return Extracted(extraction=extraction, failure=failure, unwritten=tuple(missing))


def _run(
    image: Path, extraction: Extraction, take: Callable[[Member, bytes, Node], None]
) -> WslimgError | None:
    """Hand what each member leaves to `take`; returns what ends it early."""
    try:
        with open_archive_file(image) as archive:
            for member in archive.reader:
                if (left := extraction.extract(member)) is not None:
                    take(member, *left)
    except (TarError, CompressionError) as error:
        return error
    return None
