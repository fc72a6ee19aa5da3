"""What is remembered of a whole image, for a tree whose key is known before it is walked."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from builder.core.files import write_atomic
from builder.pack.output import Output
from builder.pack.session import Session
from builder.pack.settings import PackResult


class Record(NamedTuple):
    """An image: the fields of its PackResult, the keys of its segments as hex digits if they are cached, and
    the file it was last seen as."""

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
            archive=lambda: self.tar_sha256,
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
        path=_name(result.path),
        stamp=_stamp(result.path),
    )
    with suppress(OSError):
        write_atomic(_path(session, key), json.dumps(record._asdict()).encode())


def find_record(session: Session, key: str) -> Record | None:
    """What is remembered under `key`, if anything. It counts as used."""
    path = _path(session, key)
    try:
        record = _parse(path.read_bytes())
        os.utime(path)
    except (OSError, ValueError, TypeError):
        return None
    return record


def _parse(data: bytes) -> Record:
    """Raises ValueError or TypeError for what `save_record` cannot have written."""
    record = Record(**json.loads(data))
    if [type(field) for field in record] != [int, str, int, str, int, str, list, str, list]:
        raise TypeError
    return record._replace(segments=tuple(record.segments), stamp=tuple(record.stamp))


def lies_at(record: Record, output: Path) -> bool:
    """Whether the file `output` is the image that `record` remembers, untouched since."""
    return record.path == _name(output) and record.stamp == _stamp(output)


def rewrite_image(session: Session, record: Record, image: Output) -> bool:
    """Put the image together from its segments; whether that worked, else `image` is empty again.

    Raises PackError if it cannot be written.
    """
    for segment in record.segments:
        data = session.get(bytes.fromhex(segment))
        if data is None:
            image.restart()
            return False
        image.add(data)
    if image.finish() == record.sha256:
        return True
    image.restart()
    return False


def _name(path: Path) -> str:
    """The absolute `path` as JSON can hold it: its bytes need not be UTF-8."""
    return ascii(str(path.absolute()))


def _stamp(path: Path) -> tuple[int, ...]:
    """What a file cannot keep when it is written to or replaced; empty if there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _path(session: Session, key: str) -> Path:
    return session.folder / f"{key}.tree"
