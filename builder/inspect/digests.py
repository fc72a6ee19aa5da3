"""SHA-256 of every file of a tree, remembered per layer: layers never change, so a file is read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from builder.core.files import write_atomic
from builder.model.entry import Entry

_CHUNK = 1 << 20


def digest_files(entries: Sequence[Entry], folder: Path) -> dict[bytes, str]:
    """Path -> digest for every regular file of `entries`; what `folder` remembers is not read again.

    Raises OSError when a file cannot be read.
    """
    known = _recall({entry.identity.layer for entry in entries if entry.identity}, folder)
    digests = {}
    missing = []
    for entry in entries:
        if entry.identity and (digest := known.get(entry.identity.layer, {}).get(entry.identity.path)):
            digests[entry.path] = digest
        elif entry.open:
            missing.append(entry)
    digests |= _compute(missing)
    _remember(missing, digests, known, folder)
    return digests


def _compute(entries: Sequence[Entry]) -> dict[bytes, str]:
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        return dict(pool.map(_digest, entries, chunksize=64))


def _digest(entry: Entry) -> tuple[bytes, str]:
    """Read exactly `entry.size` bytes; a shorter file is noticed by the packer, which reads it too."""
    assert entry.open is not None
    sha, left = hashlib.sha256(), entry.size
    descriptor = entry.open()
    try:
        while left and (chunk := os.read(descriptor, min(left, _CHUNK))):
            sha.update(chunk)
            left -= len(chunk)
    finally:
        os.close(descriptor)
    return entry.path, sha.hexdigest()


def _recall(layers: Iterable[str], folder: Path) -> dict[str, dict[bytes, str]]:
    return {layer: _read_table(folder / layer[:32]) for layer in sorted(layers)}


def _read_table(path: Path) -> dict[bytes, str]:
    try:
        records = path.read_bytes().split(b"\0")
    except FileNotFoundError:
        return {}
    return {record[64:]: record[:64].decode("ascii") for record in records if len(record) > 64}


def _remember(
    missing: Sequence[Entry], digests: dict[bytes, str], known: dict[str, dict[bytes, str]], folder: Path
) -> None:
    changed = set()
    for entry in missing:
        if entry.identity:
            known[entry.identity.layer][entry.identity.path] = digests[entry.path]
            changed.add(entry.identity.layer)
    for layer in sorted(changed):
        records = [digest.encode("ascii") + path for path, digest in sorted(known[layer].items())]
        write_atomic(folder / layer[:32], b"\0".join(records), mode=0o600)
