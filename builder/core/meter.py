"""Adds up what several threads have done and reports it."""

from __future__ import annotations

import threading

from builder.core.events import Progress, Sink


class Meter:
    """Counts bytes of `label` up to `total`; each `add` becomes a Progress event."""

    def __init__(self, label: str, total: int, sink: Sink) -> None:
        self._label, self._total, self._sink = label, total, sink
        self._done = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """`count` more bytes are done; negative where some have to be read again."""
        with self._lock:
            self._done += count
            self._sink(Progress(label=self._label, done=self._done, total=self._total, unit="B"))
