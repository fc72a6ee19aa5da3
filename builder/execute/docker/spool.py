"""Content that outlives the stream it came in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from builder.execute.docker.archive import read_entry
from builder.model.entry import Entry


@contextmanager
def open_spool(folder: Path) -> Iterator[Callable[[Entry], Entry]]:
    """A function that returns its entry with an opener that works until the block ends; sources may take
    theirs back when the next entry is asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder) as file:
        yield partial(_keep, file)


def _keep(file: BinaryIO, entry: Entry) -> Entry:
    if entry.open is None:
        return entry
    start = file.tell()
    for piece in read_entry(entry):
        file.write(piece)
    file.flush()
    return entry._replace(open=partial(_open_at, file.fileno(), start))


def _open_at(file: int, start: int) -> int:
    """A descriptor with a position of its own."""
    descriptor = os.open(f"/proc/self/fd/{file}", os.O_RDONLY | os.O_CLOEXEC)
    os.lseek(descriptor, start, os.SEEK_SET)
    return descriptor
