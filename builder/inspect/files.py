"""SHA-256 and nature of every file of a tree. Layers never change: their files are read once."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from builder.core.files import write_atomic
from builder.extraction.nature import HEAD, Look, classify
from builder.extraction.tree import Nature
from builder.model.entry import Entry

_FORMAT = 1
"""To be raised whenever `classify` answers otherwise than before, or a table looks otherwise."""
_CHUNK = 1 << 20
_LETTERS = {
    Nature.OTHER: b"o",
    Nature.ELF: b"e",
    Nature.SCRIPT: b"s",
    Nature.CRLF_SCRIPT: b"w",
    Nature.PRIVATE_KEY: b"k",
}
_NATURES = {letter: nature for nature, letter in _LETTERS.items()}


class File(NamedTuple):
    """The SHA-256 of a file's content, and what it is."""

    digest: str
    look: Look


_Table = dict[bytes, File]


class Seen(_Table):
    """What was found out about files, by path, while somebody else had them in memory."""

    def see(self, entry: Entry, content: memoryview) -> None:
        """Look at the whole `content` of `entry`. May be called from several threads."""
        self[entry.path] = File(hashlib.sha256(content).hexdigest(), classify(bytes(content[:HEAD])))


def read_files(entries: Sequence[Entry], folder: Path, seen: Mapping[bytes, File] = {}) -> dict[bytes, File]:
    """What every file with content of `entries`, an engine's, is, by path; what was `seen` or `folder`
    remembers is not read again. Raises OSError when a file cannot be read.
    """
    known = {layer: _read_table(_table_path(folder, layer)) for layer in sorted(_layers(entries))}
    files, missing = {}, []
    for entry in entries:
        if entry.identity and (file := known[entry.identity.layer].get(entry.identity.path)):
            files[entry.path] = file
        elif entry.open:
            missing.append(entry)
    files |= _read_all([entry for entry in missing if entry.path not in seen])
    files |= {entry.path: seen[entry.path] for entry in missing if entry.path in seen}
    _remember(missing, files, known, folder)
    return files


def _layers(entries: Sequence[Entry]) -> set[str]:
    return {entry.identity.layer for entry in entries if entry.identity}


def _read_all(entries: Sequence[Entry]) -> dict[bytes, File]:
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        return dict(pool.map(_read, entries, chunksize=64))


def _read(entry: Entry) -> tuple[bytes, File]:
    """Read exactly `entry.size` bytes; a shorter file is noticed by the packer, which reads it too."""
    assert entry.open is not None
    sha, head, left = hashlib.sha256(), b"", entry.size
    descriptor = entry.open()
    try:
        while left and (chunk := os.read(descriptor, min(left, _CHUNK))):
            head = head or chunk[:HEAD]
            sha.update(chunk)
            left -= len(chunk)
    finally:
        os.close(descriptor)
    return entry.path, File(sha.hexdigest(), classify(head))


def _table_path(folder: Path, layer: str) -> Path:
    return folder / f"{layer[:32]}.{_FORMAT}"


def _read_table(path: Path) -> _Table:
    """The rows `DIGEST LOOK PATH` that end with NUL."""
    try:
        rows = path.read_bytes().split(b"\0")
    except FileNotFoundError:
        return {}
    table = {}
    for row in rows:
        digest, _, rest = row.partition(b" ")
        look, space, name = rest.partition(b" ")
        if space:
            table[name] = File(digest.decode("ascii"), _decode(look))
    return table


def _remember(
    missing: Sequence[Entry], files: dict[bytes, File], known: dict[str, _Table], folder: Path
) -> None:
    changed = set()
    for entry in missing:
        if entry.identity:
            known[entry.identity.layer][entry.identity.path] = files[entry.path]
            changed.add(entry.identity.layer)
    for layer in sorted(changed):
        rows = [_encode_row(path, file) for path, file in sorted(known[layer].items())]
        write_atomic(_table_path(folder, layer), b"".join(rows), mode=0o600)


def _encode_row(path: bytes, file: File) -> bytes:
    nature, machine = file.look
    number = b"%d.%d" % machine if machine else b""
    return b"%b %b%b %b\0" % (file.digest.encode("ascii"), _LETTERS[nature], number, path)


@functools.cache
def _decode(look: bytes) -> Look:
    bits, dot, machine = look[1:].partition(b".")
    return Look(_NATURES[look[:1]], (int(bits), int(machine)) if dot else None)
