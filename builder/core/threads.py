"""Threads that do not keep an interrupted command from ending."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def thread_pool(threads: int, name: str, *, wait: bool = False) -> Iterator[ThreadPoolExecutor]:
    """A pool that ends with the block; when that raises, what did not begin is dropped.

    What did begin is then waited for if `wait`, which is for work that writes where the caller is about
    to remove; else it is left alone: a thread may hang for minutes on a mirror, and Ctrl-C is not to wait.

    Take every result inside the block: a thread whose end is waited for counts as ended once the wait is
    interrupted (CPython issue 90882), so the pool itself cannot be waited for twice.
    """
    pool = ThreadPoolExecutor(threads, name)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=wait, cancel_futures=True)
        raise
    pool.shutdown()
