"""Remembers the end of what a command printed, for the message of its failure."""

from __future__ import annotations

from builder.core.events import Event, Output, Sink

TIMED_OUT = 124
"""The exit status of a command that took too long, as timeout(1) has it."""
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


def describe_failure(status: int, timeout: int, tail: Tail) -> str:
    """What happened to a command that ended with `status`, 124 if it took longer than `timeout` seconds."""
    timed_out = timeout and status == TIMED_OUT
    what = f"took longer than {timeout} s" if timed_out else f"ended with status {status}"
    lines = tail.lines()
    return what + ("; its last lines:\n" + "\n".join(f"  | {line}" for line in lines) if lines else "")
