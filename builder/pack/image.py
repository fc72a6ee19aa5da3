"""Tree -> image. One writer for every tree: layers, folders and archives differ in their entries only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from builder.core.events import Note, Progress, Sink, discard
from builder.model.entry import Entry
from builder.pack.archive import Archive
from builder.pack.cache import SegmentCache
from builder.pack.compress import Compressor, choose_compressor
from builder.pack.holes import find_holes
from builder.pack.keys import tree_key
from builder.pack.normalise import normalise
from builder.pack.output import Output, open_output
from builder.pack.read_back import Kept, digest_archive, kept_segment, known_digest
from builder.pack.records import Record, find_record, lies_at, rewrite_image, save_record
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
    with packed_tree(entries, output, settings, cache=cache, sink=sink) as result:
        return replace(result, path=output)


@contextmanager
def packed_tree(
    entries: Iterable[Entry],
    output: Path,
    settings: PackSettings,
    *,
    cache: SegmentCache | None = None,
    sink: Sink = discard,
) -> Iterator[PackResult]:
    """Pack as `pack_tree` does, for a caller who wants to look at the image before it counts.

    During the block the image is whole and can be read at `path` of the result, but has no name yet. It gets
    the name `output` when the block ends well, and is gone when it does not.
    """
    compressor = choose_compressor(settings)
    with cache.open() if cache else nullcontext() as session:
        key = tree_key(settings, compressor) if session and settings.tree_key else ""
        record = find_record(session, key) if session and key else None
        if record and lies_at(record, output):
            yield record.result(output)
            return
        with open_output(output) as image:
            written = _make(entries, image, settings, compressor, session, record, sink)
            with _digested(written, image, compressor, session) as result:
                yield result
                result.archive.result()  # what cannot be read back gets no name
        if session and key:
            save_record(session, key, replace(result, path=output), written.keys)


class _Written(NamedTuple):
    """A written image. `keys` name its segments, if there is a session; `undigested` are the same segments,
    if its archive has yet to be digested."""

    result: PackResult
    keys: tuple[bytes, ...]
    undigested: tuple[Kept, ...] = ()


@contextmanager
def _digested(
    written: _Written, image: Output, compressor: Compressor, session: Session | None
) -> Iterator[PackResult]:
    """The result, whose archive is digested during the block if that is wanted and was not done before."""
    result = replace(written.result, path=image.readable)
    if not session or not written.undigested:
        yield result
        return
    with digest_archive(image.readable, written.undigested, compressor, session) as digest:
        yield replace(result, archive=digest)


def _make(
    entries: Iterable[Entry],
    image: Output,
    settings: PackSettings,
    compressor: Compressor,
    session: Session | None,
    record: Record | None,
    sink: Sink,
) -> _Written:
    """From the segments of the image that `record` remembers, else from `entries`."""
    if session and record and record.segments:
        if rewrite_image(session, record, image):
            return _Written(record.result(image.readable), tuple(map(bytes.fromhex, record.segments)))
        sink(Note(message="the segment cache lost a part of this image: it is packed anew"))
    return _write(entries, image, settings, compressor, session if compressor.cacheable else None, sink)


def _write(
    entries: Iterable[Entry],
    image: Output,
    settings: PackSettings,
    compressor: Compressor,
    session: Session | None,
    sink: Sink,
) -> _Written:
    """Whatever there is no session for is digested on the way: all content passes by."""
    counted, undigested = _Counted(normalise(entries, settings.time)), list[Kept]()
    segments = cut_segments(write_members(counted, find_holes), compressor.target)
    with (
        Archive(hashed=settings.tar_digest and not session, checked=compressor.chained) as archive,
        Storing(session) as storing,
        Workers(compressor, settings.workers, session, verify=settings.verify) as workers,
    ):
        image.add(compressor.head)
        for packed in workers.pack(segments):
            image.add(packed.data)
            if session and settings.tar_digest:
                undigested.append(kept_segment(packed))
            archive.add_segment(packed, workers.buffers)
            storing.add_segment(packed)
            sink(Progress(label="pack", done=archive.size, total=0, unit="B"))
        storing.drain()
        tar_sha256 = archive.finish()
        image.add(compressor.tail(archive.crc, archive.size))
        sha256 = image.finish()
    result = PackResult(
        path=image.readable,
        size=image.size,
        sha256=sha256,
        tar_size=archive.size,
        archive=known_digest(tar_sha256),
        entries=counted.count,
        compressor=compressor.name,
        segments=archive.segments,
        reused=storing.reused,
    )
    return _Written(result, tuple(storing.keys), tuple(undigested))


class _Counted:
    """Iterates and counts."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.count += 1
            yield entry
