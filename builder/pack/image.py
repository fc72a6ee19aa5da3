"""Tree -> image. One writer for every tree: layers, folders and archives differ in their entries only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.core.events import Progress, Sink, discard
from builder.model.entry import Entry
from builder.pack.archive import Archive
from builder.pack.compress import choose_compressor
from builder.pack.holes import find_holes
from builder.pack.normalise import normalise
from builder.pack.output import open_output
from builder.pack.segments import cut_segments
from builder.pack.settings import PackResult, PackSettings
from builder.pack.workers import Workers
from builder.tar.write import write_members


def pack_tree(
    entries: Iterable[Entry], output: Path, settings: PackSettings, *, sink: Sink = discard
) -> PackResult:
    """Write the tree of `entries` (sorted as `Engine.entries` sorts them) as the image `output`.

    The bytes depend on the entries, `settings` without its threads, and the compressor's version alone.
    Memory does not grow with the tree. Raises PackError, and then leaves `output` as it was: for a file
    that vanishes, changes or cannot be read, a name no archive can hold, a disk that is full.
    """
    compressor = choose_compressor(settings)
    counted = _Counted(normalise(entries, settings.time))
    segments = cut_segments(write_members(counted, find_holes), compressor.target)
    with open_output(output) as image, Archive(checked=compressor.chained) as archive:
        image.add(compressor.head)
        with Workers(compressor, settings.workers) as workers:
            for packed in workers.pack(segments):
                image.add(packed.data)
                archive.add_segment(packed, workers.buffers)
                sink(Progress(label="pack", done=archive.size, total=0, unit="B"))
            tar_sha256 = archive.finish()
        image.add(compressor.tail(archive.crc, archive.size))
        sha256 = image.finish()
    return PackResult(
        path=output,
        size=image.size,
        sha256=sha256,
        tar_size=archive.size,
        tar_sha256=tar_sha256,
        entries=counted.count,
        compressor=compressor.name,
        segments=archive.segments,
        reused=0,
    )


class _Counted:
    """Iterates and counts."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            self.count += 1
            yield entry
