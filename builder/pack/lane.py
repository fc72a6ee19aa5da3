"""Calls that keep their order while they run beside the caller."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, Self

P = ParamSpec("P")


class Lane:
    """One thread that makes the calls given to `add` one after the other.

    At most `depth` calls wait; what a call raises is raised by a later `add` or by `drain`.
    """

    def __init__(self, name: str, *, depth: int = 4) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: deque[Future[object]] = deque()
        self._depth = depth

    def add(self, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Make `call` after all that were added before."""
        self._waiting.append(self._thread.submit(call, *args, **kwargs))
        while len(self._waiting) > self._depth:
            self._waiting.popleft().result()

    def drain(self) -> None:
        """Wait until every call has been made."""
        while self._waiting:
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
