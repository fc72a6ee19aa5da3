"""An iterator that is run ahead by a thread: decompressing releases the interpreter while others parse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
_PATIENCE = 1.0
"""Seconds."""


class _End:
    """The last thing in the queue: how the producer ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def run_ahead(items: Iterator[T], *, depth: int = 8) -> Iterator[Iterator[T]]:
    """Iterate `items` in a thread, at most `depth` items ahead; what it raises is raised here.

    When the block ends the thread is told to stop and is waited for, though not long: it may read from a pipe
    whose writer has nothing to say.
    """
    queue: Queue[T | _End] = Queue(depth)
    stop = Event()
    thread = Thread(target=_produce, args=(items, queue, stop), name="run-ahead", daemon=True)
    thread.start()
    try:
        yield _consume(queue)
    finally:
        stop.set()
        _empty(queue)
        thread.join(_PATIENCE)


def _produce(items: Iterator[T], queue: Queue[T | _End], stop: Event) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            queue.put(item)
            if stop.is_set():
                return
    except BaseException as caught:  # carried to the consumer, which raises it
        error = caught
    queue.put(_End(error))


def _consume(queue: Queue[T | _End]) -> Iterator[T]:
    while not isinstance(item := queue.get(), _End):
        yield item
    if item.error is not None:
        raise item.error


def _empty(queue: Queue[T | _End]) -> None:
    """Make room, so that a producer that waits for it sees the stop."""
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
