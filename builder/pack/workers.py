"""The threads that read and compress segments. Both release the interpreter, so that no process is needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import NamedTuple

from builder.core.errors import PackError
from builder.model.entry import Entry
from builder.pack.compress import DICTIONARY, Bytes, Compressor
from builder.pack.fill import Buffers, fill_segment, show_files
from builder.pack.keys import content_key, layer_key
from builder.pack.segments import Segment
from builder.pack.session import Session

Watch = Callable[[Entry, memoryview], None]
"""Called in one of the threads with a file and its content; that memory is used again after the call."""


class Packed(NamedTuple):
    """A segment of `size` bytes, compressed to `data`.

    `keys` name it in the cache, where it was `found` under the first of them. `plain` begins with what it was
    before, unless it was found without looking; whoever takes it gives it back to `Workers.buffers`.
    `origin` is the segment itself.
    """

    size: int
    data: Bytes
    origin: Segment
    keys: tuple[bytes, ...] = ()
    found: bool = False
    plain: bytearray | None = None


class Workers(AbstractContextManager["Workers"]):
    """`threads` threads that compress, and a window of segments that bounds the memory whatever the tree.

    With a `session` of the segment cache, what is in it is not compressed, and if its layers are known not
    even read; `compressor` is not chained then. With `verify`, what was compressed is expanded and compared.
    `watch` is called for each file that lies whole in one segment that is read.
    """

    def __init__(
        self,
        compressor: Compressor,
        threads: int,
        session: Session | None,
        *,
        verify: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self._compressor = compressor
        self._session = session
        self._verify = verify
        self._watch = watch
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="compress")
        self._window = threads + 6
        self.buffers = Buffers(self._window + 2, compressor.target * 9 // 4)

    def pack(self, segments: Iterable[Segment]) -> Iterator[Packed]:
        """The segments, compressed, in their order. Raises PackError for one that cannot be read.

        The caller's thread reads them, and from the cache what is known by its layers: many short calls are
        made faster by one thread than by several, which would take the interpreter from one another at
        every call.
        """
        waiting: deque[Future[Packed]] = deque()
        before = b""
        for segment in segments:
            by_layer = layer_key(segment, self._compressor) if self._session else None
            known = self._find((by_layer,), segment) if by_layer else None
            if known:
                waiting.append(_done(known))
            else:
                buffer = self._fill(segment)
                waiting.append(self._pool.submit(self._pack, segment, buffer, by_layer, before))
                if self._compressor.chained:
                    before = bytes(buffer[max(0, segment.size - DICTIONARY) : segment.size])
            while waiting and (waiting[0].done() or len(waiting) > self._window):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _fill(self, segment: Segment) -> bytearray:
        buffer = self.buffers.take(segment.size)
        fill_segment(segment, buffer)
        return buffer

    def _pack(self, segment: Segment, buffer: bytearray, by_layer: bytes | None, before: bytes) -> Packed:
        with memoryview(buffer) as view, view[: segment.size] as data:
            packed = self._pack_content(segment, data, by_layer, before)
            if self._watch:
                show_files(segment, data, self._watch)
        return packed._replace(plain=buffer)

    def _pack_content(
        self, segment: Segment, data: memoryview, by_layer: bytes | None, before: bytes
    ) -> Packed:
        keys: tuple[bytes, ...] = ()
        if self._session:
            by_content = content_key(data, self._compressor)
            keys = (by_content, by_layer) if by_layer else (by_content,)
        known = self._find(keys, segment)
        if known and (not self._verify or self._expands_to(known.data, data)):
            return known
        return Packed(segment.size, self._compress(data, before), segment, keys)

    def _compress(self, data: memoryview, before: bytes) -> Bytes:
        """Raises PackError where `verify` finds that other bytes would come out again."""
        packed = self._compressor.compress(data, before)
        if self._verify and not self._compressor.chained and not self._expands_to(packed, data):
            raise PackError(
                "a compressed segment does not expand to what went in",
                where=self._compressor.name,
                fix="test the memory of this machine; if it is sound, choose another compression",
            )
        return packed

    def _expands_to(self, packed: Bytes, data: memoryview) -> bool:
        plain = self._compressor.expand(packed)
        return plain is not None and plain == data  # bytearray's; memoryview's goes item by item

    def _find(self, keys: tuple[bytes, ...], segment: Segment) -> Packed | None:
        """The segment as the cache knows it under the first of `keys`."""
        if not self._session or not keys:
            return None
        data = self._session.get(keys[0])
        return None if data is None else Packed(segment.size, data, segment, keys, found=True)

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def _done(packed: Packed) -> Future[Packed]:
    future: Future[Packed] = Future()
    future.set_result(packed)
    return future
