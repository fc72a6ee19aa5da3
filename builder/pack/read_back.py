"""Finds the digest of the archive in an image that was put together from known segments.

That happens beside whatever is done with the image meanwhile: nearly all of it is reading, expanding and
hashing, which need no interpreter.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import NamedTuple

from builder.core.errors import PackError
from builder.pack.compress import Compressor
from builder.pack.fill import fill_segment
from builder.pack.segments import Segment
from builder.pack.session import Session
from builder.pack.workers import Packed

_THREADS = 2
_AHEAD = 4
_FEW = 16
"""Parts of a segment, half of them files. So many are read in a tenth of the time that expanding takes; of
more, each costs as much as the content of 10 KB."""


class Kept(NamedTuple):
    """A segment of a written image: its key in the cache, its `length` there in bytes, and what it was made
    of where that is sooner read than expanded."""

    key: bytes
    length: int
    origin: Segment | None


def kept_segment(packed: Packed) -> Kept:
    """What has to be known of `packed` once it is written."""
    origin = packed.origin if len(packed.origin.parts) <= _FEW else None
    return Kept(packed.keys[0], len(packed.data), origin)


@contextmanager
def digest_archive(
    image: Path, segments: Iterable[Kept], compressor: Compressor, session: Session
) -> Iterator[Future[str]]:
    """The SHA-256 of the archive in `image`, which consists of `segments`, once it is known.

    The result raises PackError if a segment cannot be expanded, which `session` then forgets, or if a layer
    lost a file. When the block ends, so does the reading.
    """
    stop = Event()
    with ThreadPoolExecutor(1, "digest") as thread:
        try:
            yield thread.submit(_digest, image, segments, compressor, session, stop)
        finally:
            stop.set()


def _digest(
    image: Path, segments: Iterable[Kept], compressor: Compressor, session: Session, stop: Event
) -> str:
    digest, waiting, offset = sha256(), deque[tuple[bytes, Future[bytearray | None]]](), 0

    def take() -> None:
        key, expanded = waiting.popleft()
        digest.update(_checked(expanded.result(), key, session))

    with image.open("rb") as file, ThreadPoolExecutor(_THREADS, "expand") as pool:
        for segment in segments:
            if stop.is_set():
                break
            waiting.append((segment.key, pool.submit(_expand, file.fileno(), offset, segment, compressor)))
            offset += segment.length
            if len(waiting) > _AHEAD:
                take()
        while waiting:
            take()
    return digest.hexdigest()


def _expand(file: int, offset: int, segment: Kept, compressor: Compressor) -> bytearray | None:
    if segment.origin is None:
        return compressor.expand(os.pread(file, segment.length, offset))
    plain = bytearray(segment.origin.size)
    fill_segment(segment.origin, plain)
    return plain


def _checked(plain: bytearray | None, key: bytes, session: Session) -> bytearray:
    if plain is None:
        session.forget(key)
        raise PackError(
            "a segment of the image cannot be expanded",
            where=str(session.folder),
            fix="pack again: what was kept of it is deleted. If that happens more than once, test the memory "
            "and the disk of this machine",
        )
    return plain


def known_digest(digest: str) -> Future[str]:
    """`digest`, as `digest_archive` would give it."""
    future: Future[str] = Future()
    future.set_result(digest)
    return future
