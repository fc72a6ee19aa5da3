"""Tree -> image. One writer for every tree: layers, folders and archives differ in their entries only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from builder.core.events import Note, Progress, Sink, discard
from builder.model.entry import Entry
from builder.pack.archive import Archive
from builder.pack.cache import SegmentCache
from builder.pack.compress import Compressor, choose_compressor
from builder.pack.holes import find_holes
from builder.pack.keys import tree_key
from builder.pack.normalise import normalise
from builder.pack.output import Output, open_output
from builder.pack.records import Record, find_record, lies_at, rewrite_image, save_record
from builder.pack.segments import cut_segments
from builder.pack.session import Session
from builder.pack.settings import PackResult, PackSettings
from builder.pack.storing import Storing
from builder.pack.workers import Watch, Workers
from builder.tar.write import write_members


def pack_tree(
    entries: Iterable[Entry],
    output: Path,
    settings: PackSettings,
    *,
    cache: SegmentCache | None = None,
    sink: Sink = discard,
    watch: Watch | None = None,
) -> PackResult:
    """Write the tree of `entries` (sorted as `Engine.entries` sorts them) as the image `output`.

    The bytes depend on the entries, `settings` without its threads, and the compressor's version alone.
    Memory does not grow with the tree. `entries` is not iterated when `settings.tree_key` names an image
    that `cache` knows. `watch` sees the files that are read for it, but for the largest. Raises PackError,
    and then leaves `output` as it was: for a file that vanishes, changes or cannot be read, a name no archive
    can hold, a disk that is full.
    """
    with packed_tree(entries, output, settings, cache=cache, sink=sink, watch=watch) as result:
        return result


@contextmanager
def packed_tree(
    entries: Iterable[Entry],
    output: Path,
    settings: PackSettings,
    *,
    cache: SegmentCache | None = None,
    sink: Sink = discard,
    watch: Watch | None = None,
) -> Iterator[PackResult]:
    """Pack as `pack_tree` does, for a caller who wants to judge the image before it counts.

    During the block the image is whole but has no name yet. It gets the name `output` when the block ends
    well, and is gone when it does not.
    """
    compressor = choose_compressor(settings)
    with cache.open() if cache else nullcontext() as session:
        key = tree_key(settings, compressor) if session and settings.tree_key else ""
        record = find_record(session, key) if session and key else None
        if record and lies_at(record, output):
            yield record.result(output)
            return
        cached = session if compressor.cacheable else None
        with (
            open_output(output) as image,
            Archive(compressor, cached, hashed=settings.tar_digest) as archive,
        ):
            result, segments = _make(
                entries, image, archive, settings, compressor, cached, record, sink, watch
            )
            yield result
            result.archive()  # what cannot be read back gets no name
        if session and key:
            save_record(session, key, result, segments)


def _make(
    entries: Iterable[Entry],
    image: Output,
    archive: Archive,
    settings: PackSettings,
    compressor: Compressor,
    session: Session | None,
    record: Record | None,
    sink: Sink,
    watch: Watch | None,
) -> tuple[PackResult, tuple[bytes, ...]]:
    """From the segments of the image that `record` remembers, else from `entries`."""
    if session and record and record.segments:
        if rewrite_image(session, record, image):
            return record.result(image.path), tuple(map(bytes.fromhex, record.segments))
        sink(Note(message="the segment cache lost a part of this image: it is packed anew"))
    return _write(entries, image, archive, settings, compressor, session, sink, watch)


def _write(
    entries: Iterable[Entry],
    image: Output,
    archive: Archive,
    settings: PackSettings,
    compressor: Compressor,
    session: Session | None,
    sink: Sink,
    watch: Watch | None,
) -> tuple[PackResult, tuple[bytes, ...]]:
    """Returns the result, and the keys of all segments if there is a session."""
    counted = _Counted(normalise(entries, settings.time))
    segments = cut_segments(write_members(counted, find_holes), compressor.target)
    with (
        Storing(session) as storing,
        Workers(compressor, settings.workers, session, verify=settings.verify, watch=watch) as workers,
    ):
        image.add(compressor.head)
        for packed in workers.pack(segments):
            image.add(packed.data)
            archive.add_segment(packed, workers.buffers)
            storing.add_segment(packed)
            sink(Progress(label="pack", done=archive.size, total=0, unit="B"))
        storing.drain()
        if compressor.chained:
            archive.drain()
        image.add(compressor.tail(archive.crc, archive.size))
        sha256 = image.finish()
    result = PackResult(
        path=image.path,
        size=image.size,
        sha256=sha256,
        tar_size=archive.size,
        archive=archive.digest,
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
