"""Takes the one thing out of a tree that depends on how it was made: when its directories changed last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builder.model.entry import Entry, Kind


def settle_directories(entries: Iterable[Entry], time: int) -> Iterator[Entry]:
    """`entries` with every directory changed at `time`, in seconds since the epoch.

    A directory's time says when something came or went in it, if only a lock file of a package manager.
    Engines disagree about it, and the same engine from one build to the next.
    """
    for entry in entries:
        yield entry._replace(mtime=time) if entry.kind is Kind.DIRECTORY else entry
