"""What every image has in common, whatever its tree came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from builder.model.entry import Entry, Kind


def normalise(entries: Iterable[Entry], time: int) -> Iterator[Entry]:
    """`entries`, headed by a root that everybody may enter, no mtime later than `time` (epoch seconds).

    The mode of the archive's root becomes that of the distribution's `/`: one packed from a private
    temporary folder would lock its users out. Its time is that of a root among `entries`, which comes first,
    else `time`. Raises ValueError for entries out of order, which is a bug.
    """
    remaining = iter(entries)
    first = next(remaining, None)
    rooted = first is not None and not first.path
    yield Entry(
        path=b"", kind=Kind.DIRECTORY, mode=0o755, mtime=min(first.mtime, time) if first and rooted else time
    )
    last = b""
    for entry in remaining if rooted or first is None else chain((first,), remaining):
        key = sort_key(entry.path)
        if key <= last:
            raise ValueError(f"entries are not sorted: {entry.path!r} follows {last!r}")
        if entry.kind is Kind.HARDLINK and sort_key(entry.target) >= key:
            raise ValueError(f"the hard link {entry.path!r} precedes its target {entry.target!r}")
        last = key
        yield entry._replace(mtime=time) if entry.mtime > time else entry


def sort_key(path: bytes) -> bytes:
    """What sorts paths depth first and siblings by their raw bytes: a slash sorts before anything else."""
    return path.replace(b"/", b"\0")
