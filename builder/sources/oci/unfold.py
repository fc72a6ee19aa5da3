"""Streams that are verified while they are read, and unfolded into tar archives among the blobs.

No compressed copy is kept: what is compressed is read once, and what it unfolds to is found by its digest.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.files import write_atomic
from builder.model.lock import UnfoldedTar
from builder.sources.oci.manifest import Descriptor
from builder.tar.compression import CompressionError, Tally, decompress

_PIECE = 1 << 18


def verified(chunks: Iterable[bytes], descriptor: Descriptor, where: str) -> Generator[bytes, None, None]:
    """`chunks`, then ResolveError unless they were what `descriptor` says; never more than its size."""
    sha, seen = hashlib.sha256(), 0
    for chunk in chunks:
        seen += len(chunk)
        if seen > descriptor.size:
            raise ResolveError(f"is larger than the {descriptor.size} bytes that were announced", where=where)
        sha.update(chunk)
        yield chunk
    if (seen, sha.hexdigest()) != (descriptor.size, descriptor.digest):
        raise ResolveError(
            f"has {seen} bytes with sha256 {sha.hexdigest()}, expected {descriptor.size} bytes"
            f" with {descriptor.digest}",
            where=where,
            fix="a mirror or proxy altered or cut it: try again, or choose another mirror",
        )


def unfold(chunks: Iterable[bytes], where: str) -> Generator[bytes, None, None]:
    """What `chunks` hold when they are decompressed, as their first bytes say. Raises ResolveError."""
    with io.BufferedReader(_Stream(chunks), _PIECE) as file:
        try:
            _, pieces = decompress(file, Tally())
            yield from pieces
            while file.read(_PIECE):  # what verifies the chunks speaks at their end
                pass
        except CompressionError as error:
            raise ResolveError(error.message, where=f"{where}, {error.where}", fix=error.fix) from None


def unfold_file(path: Path, sha256: str, blobs: Blobs) -> UnfoldedTar:
    """The archive in the file `path`, whose digest is `sha256`, unfolded among `blobs` if it is not yet."""
    if (known := recall(sha256, blobs)) is not None:
        return known
    return remember(sha256, blobs.collect(unfold(read_pieces(path), str(path))), blobs)


def remember(sha256: str, stored: tuple[str, int], blobs: Blobs) -> UnfoldedTar:
    """Note that the file with the digest `sha256` unfolds to the blob `stored` (digest, size)."""
    tar = UnfoldedTar(sha256=stored[0], size=stored[1])
    write_atomic(_record(sha256, blobs), tar.model_dump_json().encode("ascii"))
    return tar


def recall(sha256: str, blobs: Blobs) -> UnfoldedTar | None:
    """What the file with the digest `sha256` unfolds to, if that is among `blobs`."""
    try:
        tar = UnfoldedTar.model_validate_json(_record(sha256, blobs).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return tar if blobs.has(tar.sha256, tar.size) else None


def _record(sha256: str, blobs: Blobs) -> Path:
    return blobs.folder / "unfolded" / sha256


def read_pieces(path: Path) -> Generator[bytes, None, None]:
    """The content of the file `path`."""
    with path.open("rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            yield piece


class _Stream(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
