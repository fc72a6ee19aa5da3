"""What BuildKit tells while it builds: steps that begin and end, and what commands print.

Source: moby/buildkit api/services/control/control.proto (StatusResponse, Vertex, VertexLog).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from builder.core.events import Note, Output, Sink
from builder.execute.docker.buildkit.messages import read_bytes, read_fields

_VERTEX, _LOG = 1, 3
_DIGEST, _NAME, _STARTED, _ERROR = 1, 3, 5, 7
_STREAM, _MESSAGE, _STDERR = 3, 4, 2
_BASE = re.compile(r"FROM (?P<name>[^\s@]+)@sha256:(?P<digest>[0-9a-f]{64})\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The step that failed, and why."""

    step: str
    message: str


class Trace:
    """Hands on to `sink` what the build tells, and remembers what is asked for afterwards."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._started: set[bytes] = set()
        self.failure: Failure | None = None
        self.bases: dict[str, str] = {}
        """The digests (64 hex digits) of the images that were pulled for FROM, by their names."""

    def read(self, status: bytes) -> None:
        """Take one StatusResponse. Raises ExecuteError for what is none."""
        for number, value in read_fields(status):
            if number == _VERTEX and isinstance(value, bytes):
                self._read_vertex(value)
            elif number == _LOG and isinstance(value, bytes):
                self._sink(_read_log(value))

    def _read_vertex(self, vertex: bytes) -> None:
        fields = {number: value for number, value in read_fields(vertex) if isinstance(value, bytes)}
        name = fields.get(_NAME, b"").decode("utf-8", "replace")
        digest = fields.get(_DIGEST, b"")
        if _STARTED in fields and digest not in self._started:
            self._started.add(digest)
            self._announce(name)
        if error := fields.get(_ERROR, b"").decode("utf-8", "replace"):
            self.failure = self.failure or Failure(step=name, message=error)

    def _announce(self, name: str) -> None:
        self.bases |= {found["name"]: found["digest"] for found in _BASE.finditer(name)}
        if not name.startswith("[internal]"):
            self._sink(Note(message=f"  {name}"))


def _read_log(log: bytes) -> Output:
    numbers: Iterator[int] = (
        value for n, value in read_fields(log) if n == _STREAM and isinstance(value, int)
    )
    return Output(
        stream="stderr" if next(numbers, 0) == _STDERR else "stdout", data=read_bytes(log, _MESSAGE)
    )
