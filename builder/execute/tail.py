"""Remembers the end of what a command printed, for the message of its failure."""

from __future__ import annotations

from builder.core.events import Event, Output, Sink

_MOST_LINES = 20
_MOST_BYTES = 8192


class Tail:
    """A sink that hands every event on and keeps the last of the output."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kept = b""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Output):
            self._kept = (self._kept + event.data)[-_MOST_BYTES:]
        self._sink(event)

    def lines(self) -> tuple[str, ...]:
        """At most the last 20 lines, in the order in which the two streams arrived."""
        text = self._kept.decode("utf-8", errors="replace")
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-_MOST_LINES:]
