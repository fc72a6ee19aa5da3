"""The tree that `wslimg pack` is given: a folder, an archive, or an archive that comes through a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from builder.core.errors import UsageError
from builder.core.events import Sink
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

    `cache` is where an archive is spooled, and what is known of a folder is kept with `trust_mtime`. Raises
    PackError, and UsageError, also for an `output` inside the folder that is packed: each image would hold
    the one before.
    """
    if os.path.isdir(source):
        path = Path(source)
        _require_outside(output, path)
        try:
            memory = bare_files(cache / "segments", path) if trust_mtime else None
            mtime = path.stat().st_mtime_ns // 1_000_000_000
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=source) from None
        entries = read_directory(path, trust_mtime=trust_mtime, memory=memory, sink=sink)
        yield _with_root(entries, mtime)
        return
    name = "standard input" if source == STDIN else source
    with _open(source) as file, read_archive(file, cache / "spool", sink, name) as entries:
        yield _with_root(entries, 0)


def _with_root(entries: Iterator[Entry], mtime: int) -> Iterator[Entry]:
    """`entries` headed by a root, changed at `mtime` unless it is among them."""
    first = next(entries, None)
    if first is None or first.path:
        yield Entry(path=b"", kind=Kind.DIRECTORY, mode=0o755, mtime=mtime)
    if first is not None:
        yield first
    yield from entries


def _require_outside(output: Path, folder: Path) -> None:
    if Path(os.path.realpath(output.parent)).is_relative_to(os.path.realpath(folder)):
        raise UsageError(
            f"the image would lie in {folder}, the folder that is packed",
            where=str(output),
            fix="name another place with -o",
        )


def _open(source: str) -> AbstractContextManager[BinaryIO]:
    if source == STDIN:
        return _open_stdin()
    try:
        return open(source, "rb")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=source) from None


def _open_stdin() -> AbstractContextManager[BinaryIO]:
    """Never closed: that would wait for a thread that reads from a writer which has nothing to say."""
    fix = "pipe an archive into it, or name a folder or file"
    if sys.stdin is None:
        raise UsageError("standard input is closed", fix=fix)
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal", fix=fix)
    return nullcontext(open(0, "rb", closefd=False))
