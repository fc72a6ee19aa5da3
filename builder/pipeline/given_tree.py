"""The tree that `wslimg pack` is given: a folder, an archive, or an archive that comes through a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from builder.core.errors import PackError, UsageError
from builder.core.events import Note, Sink
from builder.model.entry import Entry, Kind
from builder.pack.bare import bare_files
from builder.pack.source_dir import read_directory
from builder.pack.source_tar import read_archive

STDIN = "-"


@contextmanager
def read_tree(
    source: str, *, output: Path, cache: Path, trust_mtime: bool, sink: Sink
) -> Iterator[Iterable[Entry]]:
    """The entries of `source`, sorted, root first, for as long as the block lasts.

    `output` is left out where it lies in the folder that is packed. `cache` is where an archive is spooled,
    and what is known of a folder is kept with `trust_mtime`. Raises UsageError, PackError.
    """
    path = Path(source)
    if source != STDIN and path.is_dir():
        memory = bare_files(cache / "segments", path) if trust_mtime else None
        entries = read_directory(path, trust_mtime=trust_mtime, memory=memory, sink=sink)
        yield _with_root(_without(entries, path, output, sink), int(path.stat().st_mtime))
        return
    try:
        with _open(source) as file, read_archive(file, cache / "spool", sink) as entries:
            yield _with_root(entries, 0)
    except OSError as error:  # of the archive: whatever else fails says itself what it is
        raise PackError(f"cannot be read: {error.strerror}", where=source) from error


def _with_root(entries: Iterator[Entry], mtime: int) -> Iterator[Entry]:
    """`entries` headed by a root, changed at `mtime` unless it is among them."""
    first = next(entries, None)
    if first is None or first.path:
        yield Entry(path=b"", kind=Kind.DIRECTORY, mode=0o755, mtime=mtime)
    if first is not None:
        yield first
    yield from entries


def _without(entries: Iterator[Entry], root: Path, output: Path, sink: Sink) -> Iterator[Entry]:
    """The image of last time must not be in the one of this time."""
    real, own = root.resolve(), output.resolve()
    if not own.is_relative_to(real):
        yield from entries
        return
    name = os.fsencode(own.relative_to(real))
    for entry in entries:
        if entry.path == name:
            sink(Note(message=f"{output} is left out: it is about to be replaced by the image"))
        else:
            yield entry


def _open(source: str) -> BinaryIO:
    if source == STDIN:
        if sys.stdin.isatty():
            raise UsageError(
                "standard input is a terminal", fix="pipe an archive into it, or name a folder or file"
            )
        return os.fdopen(os.dup(0), "rb")
    try:
        return open(source, "rb")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=source) from None
