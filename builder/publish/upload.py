"""Brings immutable files into a catalog: uploaded once, read back, and compared with what they should be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from builder.core.errors import PublishError
from builder.core.events import Sink
from builder.core.meter import Meter
from builder.model.catalog import StoredFile
from builder.publish.target import MissingError, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalFile:
    """A file on this machine and what it is to be in the catalog."""

    source: Path
    stored: StoredFile


def upload(target: Target, file: LocalFile, sink: Sink) -> bool:
    """Store `file` unless it is there already, and say whether that was needed.

    What is there is read, too: a damaged file is replaced. Raises PublishError, and leaves nothing under the
    path, if what arrived is not what was sent.
    """
    stored = file.stored
    if not describe_damage(target, stored):
        return False
    meter = Meter(f"upload {Path(stored.path).name}", stored.size, sink)
    target.put_file(stored.path, file.source, meter.add)
    if damage := describe_damage(target, stored):
        target.delete(stored.path)
        raise PublishError(
            f"{damage} after the upload",
            where=f"{target.place}/{stored.path}",
            fix=f"try again; if that fails too, look whether {file.source} changes or the storage is damaged",
        )
    return True


def describe_damage(target: Target, stored: StoredFile, *, content: bool = True) -> str:
    """What is wrong with what lies at the path of `stored`, "" for nothing. `content` reads all of it."""
    info = target.stat(stored.path)
    if info is None:
        return "is missing"
    if info.size != stored.size:
        return f"has {info.size} bytes, expected {stored.size}"
    try:
        digest = _digest(target, stored.path) if content else stored.sha256
    except MissingError:
        return "is missing"
    return "" if digest == stored.sha256 else f"has sha256 {digest}, expected {stored.sha256}"


def _digest(target: Target, path: str) -> str:
    sha = hashlib.sha256()
    for chunk in target.chunks(path):
        sha.update(chunk)
    return sha.hexdigest()
