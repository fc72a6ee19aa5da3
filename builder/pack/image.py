"""Tree -> image. One writer for every tree: layers, folders and archives differ in their entries only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.core.events import Progress, Sink, discard
from builder.model.entry import Entry
from builder.pack.archive import Archive
from builder.pack.cache import SegmentCache
from builder.pack.compress import Compressor, choose_compressor
from builder.pack.holes import find_holes
from builder.pack.keys import tree_key
from builder.pack.normalise import normalise
from builder.pack.output import open_output
from builder.pack.records import reuse_image, save_record
from builder.pack.segments import cut_segments
from builder.pack.session import Session
from builder.pack.settings import PackResult, PackSettings
from builder.pack.storing import Storing
from builder.pack.workers import Workers
from builder.tar.write import write_members


def pack_tree(
    entries: Iterable[Entry],
    output: Path,
    settings: PackSettings,
    *,
    cache: SegmentCache | None = None,
    sink: Sink = discard,
) -> PackResult:
    """Write the tree of `entries` (sorted as `Engine.entries` sorts them) as the image `output`.

    The bytes depend on the entries, `settings` without its threads, and the compressor's version alone.
    Memory does not grow with the tree. `entries` is not iterated when `settings.tree_key` names an image
    that `cache` knows. Raises PackError, and then leaves `output` as it was: for a file that vanishes,
    changes or cannot be read, a name no archive can hold, a disk that is full.
    """
    compressor = choose_compressor(settings)
    if cache is None:
        return _write(entries, output, settings, compressor, None, sink)[0]
    with cache.open() as session:
        return _pack_cached(entries, output, settings, compressor, session, sink)


def _pack_cached(
    entries: Iterable[Entry],
    output: Path,
    settings: PackSettings,
    compressor: Compressor,
    session: Session,
    sink: Sink,
) -> PackResult:
    key = tree_key(settings, compressor) if settings.tree_key else ""
    if key and (known := reuse_image(session, key, output, sink)):
        return known
    result, segments = _write(
        entries, output, settings, compressor, session if compressor.cacheable else None, sink
    )
    if key:
        save_record(session, key, result, segments)
    return result


def _write(
    entries: Iterable[Entry],
    output: Path,
    settings: PackSettings,
    compressor: Compressor,
    session: Session | None,
    sink: Sink,
) -> tuple[PackResult, tuple[bytes, ...]]:
    """Returns the result, and the keys of all segments if there is a session."""
    counted = _Counted(normalise(entries, settings.time))
    segments = cut_segments(write_members(counted, find_holes), compressor.target)
    with (
        open_output(output) as image,
        Archive(checked=compressor.chained) as archive,
        Storing(session) as storing,
        Workers(compressor, settings.workers, session) as workers,
    ):
        image.add(compressor.head)
        for packed in workers.pack(segments):
            image.add(packed.data)
            archive.add_segment(packed, workers.buffers)
            storing.add_segment(packed)
            sink(Progress(label="pack", done=archive.size, total=0, unit="B"))
        storing.drain()
        tar_sha256 = archive.finish()
        image.add(compressor.tail(archive.crc, archive.size))
        sha256 = image.finish()
    result = PackResult(
        path=output,
        size=image.size,
        sha256=sha256,
        tar_size=archive.size,
        tar_sha256=tar_sha256,
        entries=counted.count,
        compressor=compressor.name,
        segments=archive.segments,
        reused=storing.reused,
    )
    return result, tuple(storing.keys)


class _Counted:
    """Iterates and counts."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.count += 1
            yield entry
