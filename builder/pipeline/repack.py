"""`wslimg pack`: an image from any root file system a user has, or a better one from an image."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from builder.check.options import CheckOptions, Report
from builder.check.run import check_image, judge
from builder.core.errors import PackError, UsageError
from builder.core.events import Note, Sink
from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.cache import SegmentCache
from builder.pack.clean import CleanSettings, Removed, clean_tree, drop_xattrs
from builder.pack.image import pack_tree
from builder.pack.memory import with_content
from builder.pack.normalise import normalise
from builder.pack.settings import PackResult, PackSettings
from builder.pipeline.given_tree import read_tree
from builder.pipeline.stages import Timing, stage
from builder.pipeline.witness import Witness
from builder.tar.compression import NO_LIMITS, Compression, Limits
from builder.wsl.config import parse_config
from builder.wsl.keys import ConfigFile

FOREVER = 2**62
"""No time to clamp to, in epoch seconds: times stay as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RepackOptions:
    """`source` "-" is standard input. `configuration` holds files that replace those of the tree.

    `cache` is the folder where all is kept, segments of images only with `use_cache`. `fix` takes out what
    must not ship, `trust_mtime` believes that a file of a folder is unchanged if its inode, size and times
    are. `settings` name no tree: whatever is given may change.
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

    def as_dict(self) -> dict[str, object]:
        """All of it for scripts: sizes in bytes, digests as hex digits."""
        result = self.result
        return {
            "ok": self.report.ok,
            "image": str(result.path),
            "size": result.size,
            "sha256": result.sha256,
            "tar_size": result.tar_size,
            "tar_sha256": result.tar_sha256 or None,
            "entries": result.entries,
            "compressor": result.compressor,
            "segments": result.segments,
            "reused": result.reused,
            "seconds": self.seconds,
            "removed": [{"path": each.path, "why": each.why, "size": each.size} for each in self.removed],
            "findings": [finding.as_dict() for finding in self.report.findings],
        }


def repack(options: RepackOptions, sink: Sink) -> Repacked:
    """Pack the tree that `options` name and check the image. Raises UsageError, PackError."""
    timing = Timing()
    removed: list[Removed] = []
    witness = Witness()
    cache = SegmentCache(options.cache / "segments") if options.use_cache else None
    _check_names(options)
    configuration = read_configuration(options.configuration, sink)
    with read_tree(
        options.source,
        output=options.output,
        cache=options.cache,
        trust_mtime=options.trust_mtime and options.use_cache,
        sink=sink,
    ) as entries:
        with stage("pack", sink, timing) as running:
            tree = arrange(chain(entries, configuration)) if configuration else entries
            cleaned = (
                clean_tree(tree, CleanSettings(), removed.append)
                if options.fix
                else drop_xattrs(tree, removed.append)
            )
            shipped = normalise(cleaned, options.settings.time)
            result = pack_tree(
                shipped if options.settings.single_member else witness.pass_on(shipped),
                options.output,
                options.settings,
                cache=cache,
                sink=sink,
                watch=witness.see,
            )
            running.detail = f"{result.entries} entries, {result.reused} of {result.segments} segments reused"
        _tell_attributes(removed, sink)
        _tell_bomb(result, sink)
        with stage("check", sink, timing):
            report = _check(witness, result, options.settings)
    return Repacked(result=result, removed=tuple(removed), report=report, seconds=timing.seconds)


def _check_names(options: RepackOptions) -> None:
    """Raise UsageError for names that are none."""
    if not options.source:
        raise UsageError("the source has no name", fix="name a folder or file, or - for standard input")
    if options.output.name in ("", "-"):
        raise UsageError("no image is written to standard output", fix="name a file with -o")


def _tell_bomb(result: PackResult, sink: Sink) -> None:
    if Limits().exceeded(result.size, result.tar_size):
        why = "it unfolds to so many times its size: look for huge files of zeros"
        message = f"{result.path}: `wslimg check` and `publish` will refuse the image, because {why}"
        sink(Note(message=message, level="warning"))


def _tell_attributes(removed: Sequence[Removed], sink: Sink) -> None:
    """Warn once of each kind of extended attribute that was taken off."""
    by_reason: dict[str, list[str]] = {}
    for each in removed:
        if each.is_attribute:
            by_reason.setdefault(each.why, []).append(each.path)
    for why, paths in by_reason.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        sink(Note(message=f"{paths[0]}{more}: an attribute is left out: {why}", level="warning"))


def _check(witness: Witness, result: PackResult, settings: PackSettings) -> Report:
    """By the entries that were packed; by the image itself where one of them is no longer what was packed,
    and where the packer does not compare what it has compressed with what went in."""
    path = result.path
    if settings.single_member:
        return check_image(path, limits=NO_LIMITS)
    try:
        collected = replace(
            witness.collect(),
            compression=Compression(settings.kind.value),
            file_size=result.size,
            tar_size=result.tar_size,
        )
    except PackError:  # the folder changes: what was packed of it is not to be had any more
        return check_image(path, limits=NO_LIMITS)
    return judge(collected, CheckOptions(), name=path.name, subject=str(path))


def read_configuration(files: Mapping[ConfigFile, Path], sink: Sink) -> tuple[Entry, ...]:
    """The files as entries. Warns of what WSL would; raises UsageError where WSL stops reading."""
    found = []
    for kind, path in files.items():
        try:
            data, mtime = path.read_bytes(), path.stat().st_mtime_ns // 1_000_000_000
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
        parsed = parse_config(data, kind)
        for warning in parsed.warnings:
            sink(Note(message=f"{path}:{warning.line}: {warning.message}", level="warning"))
        if parsed.stopped:
            raise UsageError("WSL would stop reading at the last warning", where=str(path))
        name = os.fsencode(kind.path.lstrip("/"))
        found.append(with_content(Entry(path=name, kind=Kind.FILE, mode=0o644, mtime=mtime), data))
    return tuple(found)
