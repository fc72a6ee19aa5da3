"""`wslimg pack`: an image from any root file system a user has, or a better one from an image."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from builder.check.options import CheckOptions, Report
from builder.core.errors import PackError, UsageError
from builder.core.events import Note, Sink
from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.bare import bare_files
from builder.pack.cache import SegmentCache
from builder.pack.clean import CleanSettings, Removed, clean_tree, drop_xattrs
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.settings import PackResult, PackSettings
from builder.pack.source_dir import read_directory
from builder.pack.source_tar import read_archive
from builder.pipeline.looks import Looks
from builder.pipeline.stages import Timing, stage
from builder.pipeline.verify import Written, verify_image
from builder.wsl.config import parse_config
from builder.wsl.keys import ConfigFile

FOREVER = 2**62
"""No time to clamp to, in epoch seconds: times stay as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RepackOptions:
    """`source` "-" is standard input. `configuration` holds files that replace those of the tree.

    `cache` is the folder where all is kept, segments of images only with `use_cache`. `fix` takes out what
    must not ship, `trust_mtime` believes that a file of a folder is unchanged if its inode, size and times
    are.
    """

    source: str
    output: Path
    settings: PackSettings
    cache: Path
    configuration: Mapping[ConfigFile, Path]
    use_cache: bool = True
    fix: bool = False
    trust_mtime: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Repacked:
    """The image that was written, what was taken out of the tree, and what the rules say of it."""

    result: PackResult
    removed: tuple[Removed, ...]
    report: Report
    seconds: dict[str, float]


def repack(options: RepackOptions, sink: Sink) -> Repacked:
    """Pack the tree that `options` name and check the image. Raises UsageError, PackError, CheckError."""
    timing = Timing()
    removed: list[Removed] = []
    shipped: list[Entry] = []
    looks = Looks()
    cache = SegmentCache(options.cache / "segments") if options.use_cache else None
    configuration = read_configuration(options.configuration, sink)
    with read_tree(options) as entries:
        with stage("pack", sink, timing) as running:
            tree = _replace(entries, configuration) if configuration else entries
            cleaned = (
                clean_tree(tree, CleanSettings(), removed.append)
                if options.fix
                else drop_xattrs(tree, removed.append)
            )
            result = pack_tree(
                _kept(cleaned, shipped),
                options.output,
                options.settings,
                cache=cache,
                sink=sink,
                watch=looks.see,
            )
            running.detail = f"{result.entries} entries, {result.reused} of {result.segments} segments reused"
        with stage("check", sink, timing):
            report = _check(shipped, looks, result, options)
    return Repacked(result=result, removed=tuple(removed), report=report, seconds=timing.seconds)


def _kept(entries: Iterable[Entry], kept: list[Entry]) -> Iterator[Entry]:
    """`entries`, which are in `kept` afterwards."""
    for entry in entries:
        kept.append(entry)
        yield entry


def _check(entries: Sequence[Entry], looks: Looks, result: PackResult, options: RepackOptions) -> Report:
    """Raises PackError for a file that is no longer what was packed."""
    try:
        looks.look_at_others(entries)
        written = Written(
            subject=str(result.path),
            result=result,
            settings=options.settings,
            entries=entries,
            looks=looks,
        )
        return verify_image(written, CheckOptions())
    except OSError as error:
        raise PackError(
            f"the image was written, and cannot be checked: {error.strerror}",
            where=os.fsdecode(error.filename or options.source),
            fix="stop whatever changes the folder and pack again, or `wslimg check` the image",
        ) from error


@contextmanager
def read_tree(options: RepackOptions) -> Iterator[Iterable[Entry]]:
    """The entries of the source, sorted, for as long as the block lasts."""
    path = Path(options.source)
    if options.source != "-" and path.is_dir():
        trusted = options.trust_mtime and options.use_cache
        memory = bare_files(options.cache / "segments", path) if trusted else None
        entries = read_directory(path, trust_mtime=trusted, memory=memory)
        yield _with_root(entries, int(path.stat().st_mtime))
        return
    with _open(options.source) as file, read_archive(file, options.cache / "spool") as entries:
        yield _with_root(entries, 0)


def _with_root(entries: Iterator[Entry], mtime: int) -> Iterator[Entry]:
    """`entries` headed by a root, changed at `mtime` unless it is among them."""
    first = next(entries, None)
    if first is None or first.path:
        yield Entry(path=b"", kind=Kind.DIRECTORY, mode=0o755, mtime=mtime)
    if first is not None:
        yield first
    yield from entries


def _open(source: str) -> BinaryIO:
    if source == "-":
        if sys.stdin.isatty():
            raise UsageError(
                "standard input is a terminal", fix="pipe an archive into it, or name a folder or file"
            )
        return os.fdopen(os.dup(0), "rb")
    try:
        return open(source, "rb")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=source) from None


def read_configuration(files: Mapping[ConfigFile, Path], sink: Sink) -> dict[bytes, bytes]:
    """Path in the image -> content. Warns of what WSL would; raises UsageError where WSL stops reading."""
    found = {}
    for kind, path in files.items():
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
        parsed = parse_config(data, kind)
        for warning in parsed.warnings:
            sink(Note(message=f"{path}:{warning.line}: {warning.message}", level="warning"))
        if parsed.stopped:
            raise UsageError("WSL would stop reading at the last warning", where=str(path))
        found[os.fsencode(kind.path.lstrip("/"))] = data
    return found


def _replace(entries: Iterable[Entry], files: Mapping[bytes, bytes]) -> Iterator[Entry]:
    mine = (with_content(Entry(path=path, kind=Kind.FILE, mode=0o644), data) for path, data in files.items())
    return arrange(chain(entries, mine))
