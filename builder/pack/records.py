"""What is remembered of a whole image, for a tree whose key is known before it is walked."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from builder.core.events import Note, Sink
from builder.core.files import write_atomic
from builder.pack.output import open_output
from builder.pack.session import Session
from builder.pack.settings import PackResult


class Record(BaseModel):
    """An image: the fields of its PackResult, the keys of its segments if
    they are cached, and the file it was last seen as."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal[1] = 1
    size: int
    sha256: str
    tar_size: int
    tar_sha256: str
    entries: int
    compressor: str
    segments: tuple[str, ...]
    path: str
    stamp: tuple[int, ...]

    def result(self, output: Path) -> PackResult:
        """The result of having made the image again, which needed no compressing."""
        return PackResult(
            path=output,
            size=self.size,
            sha256=self.sha256,
            tar_size=self.tar_size,
            tar_sha256=self.tar_sha256,
            entries=self.entries,
            compressor=self.compressor,
            segments=len(self.segments),
            reused=len(self.segments),
        )


def save_record(session: Session, key: str, result: PackResult, segments: tuple[bytes, ...]) -> None:
    """Remember under `key` that `result` consists of the segments with these keys."""
    record = Record(
        size=result.size,
        sha256=result.sha256,
        tar_size=result.tar_size,
        tar_sha256=result.tar_sha256,
        entries=result.entries,
        compressor=result.compressor,
        segments=tuple(segment.hex() for segment in segments),
        path=str(result.path.absolute()),
        stamp=_stamp(result.path),
    )
    with suppress(OSError):
        write_atomic(_path(session, key), record.model_dump_json().encode())


def reuse_image(session: Session, key: str, output: Path, sink: Sink) -> PackResult | None:
    """The image `key` at `output`: as it lies there, or put together from its segments; None if it cannot be.

    Raises PackError if `output` cannot be written.
    """
    record = _load(session, key)
    if record is None:
        return None
    if record.path == str(output.absolute()) and record.stamp == _stamp(output):
        return record.result(output)
    if not record.segments:
        return None
    if not _rewrite(session, record, output):
        sink(Note(message="the segment cache lost a part of this image: it is packed anew"))
        return None
    result = record.result(output)
    save_record(session, key, result, tuple(map(bytes.fromhex, record.segments)))
    return result


class _LostError(Exception):
    """A segment is not in the cache any more, or the whole is not what it was."""


def _rewrite(session: Session, record: Record, output: Path) -> bool:
    try:
        with open_output(output) as image:
            for segment in record.segments:
                data = session.get(bytes.fromhex(segment))
                if data is None:
                    raise _LostError
                image.add(data)
            if image.finish() != record.sha256:
                raise _LostError
    except _LostError:
        return False
    return True


def _load(session: Session, key: str) -> Record | None:
    path = _path(session, key)
    try:
        record = Record.model_validate_json(path.read_bytes())
        os.utime(path)
    except (OSError, ValidationError):
        return None
    return record


def _stamp(path: Path) -> tuple[int, ...]:
    """What a file cannot keep when it is written to or replaced; empty if there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _path(session: Session, key: str) -> Path:
    return session.folder / f"{key}.tree"
