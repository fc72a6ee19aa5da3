"""The threads that read and compress segments. Both release the interpreter, so that no process is needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import NamedTuple

from builder.pack.compress import DICTIONARY, Bytes, Compressor
from builder.pack.fill import Buffers, fill_segment
from builder.pack.keys import content_key, layer_key
from builder.pack.segments import Segment
from builder.pack.session import Session


class Packed(NamedTuple):
    """A segment, compressed to `data`; the first `size` bytes of `buffer` are what it was before.

    Whoever takes it gives `buffer` back to `Workers.buffers`. `keys` name it in the cache, where it was
    `found` under the first of them if that is not None.
    """

    buffer: bytearray
    size: int
    data: Bytes
    keys: tuple[bytes, ...] = ()
    found: bool = False


class Workers(AbstractContextManager["Workers"]):
    """`threads` threads, and a window of segments that bounds the memory whatever the size of the tree.

    With a `session` of the segment cache, what is in it is not compressed. `compressor` is not chained then.
    """

    def __init__(self, compressor: Compressor, threads: int, session: Session | None) -> None:
        self._compressor = compressor
        self._session = session
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="compress")
        self._threads = threads
        self._window = threads + 2
        self.buffers = Buffers(self._window + 2, compressor.target * 9 // 4)

    def pack(self, segments: Iterable[Segment]) -> Iterator[Packed]:
        """The segments, compressed, in their order. Raises PackError for the first that cannot be read."""
        waiting: deque[Future[Packed]] = deque()
        before: Future[bytes] = _done(b"")
        for segment in segments:
            end: Future[bytes] = Future()
            waiting.append(self._pool.submit(self._pack, segment, before, end))
            before = end
            if len(waiting) > self._window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _pack(self, segment: Segment, before: Future[bytes], end: Future[bytes]) -> Packed:
        """Fill a buffer and compress it. `end` is set first: the worker of the next segment may need it."""
        buffer = self.buffers.take(segment.size)
        try:
            fill_segment(segment, buffer)
        except BaseException:
            end.cancel()
            raise
        with memoryview(buffer) as view, view[: segment.size] as data:
            if self._session:
                end.set_result(b"")
                return self._pack_cached(self._session, segment, buffer, data)
            end.set_result(bytes(data[-DICTIONARY:]) if self._compressor.chained else b"")
            return Packed(buffer, segment.size, self._compressor.compress(data, before.result()))

    def _pack_cached(self, session: Session, segment: Segment, buffer: bytearray, data: memoryview) -> Packed:
        """By layer and path first, as that needs no hashing of the content."""
        by_layer = layer_key(segment, self._compressor)
        if by_layer and (hit := session.get(by_layer)) is not None:
            return Packed(buffer, segment.size, hit, (by_layer,), found=True)
        by_content = content_key(data, self._compressor)
        keys = (by_content, by_layer) if by_layer else (by_content,)
        if (hit := session.get(by_content)) is not None:
            return Packed(buffer, segment.size, hit, keys, found=True)
        return Packed(buffer, segment.size, self._compressor.compress(data, b""), keys)

    def __exit__(self, *_: object) -> None:
        # After an error workers may wait for buffers that nobody gives back any more.
        self.buffers.add(self._threads)
        self._pool.shutdown(cancel_futures=True)


def _done(value: bytes) -> Future[bytes]:
    future: Future[bytes] = Future()
    future.set_result(value)
    return future
