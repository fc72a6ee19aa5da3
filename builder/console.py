"""Renders events for people and for machines: bars, plain lines, JSON lines, groups of CI systems.

Everything goes to standard error; standard output belongs to the results of a command.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Never, TextIO

from builder.core.errors import WslimgError
from builder.core.events import Event, Note, Output, Progress, Sink, StageFinished, StageStarted, Step

if TYPE_CHECKING:
    from tqdm import tqdm

_TITLE_WIDTH = 78
PROGRESS_MODES = ("auto", "bar", "plain", "json")


@contextmanager
def open_console(
    mode: str, *, verbosity: int = 0, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ
) -> Iterator[Sink]:
    """A sink that renders to `stream` (standard error) in `mode`; `verbosity` is -1, 0 or 1."""
    stream = stream or sys.stderr
    renderer = _choose(mode, stream, environ)(stream, verbosity, environ)
    try:
        yield renderer.show
    finally:
        renderer.close()


@contextmanager
def log_to(path: Path, sink: Sink) -> Iterator[Sink]:
    """A sink that also writes every event, steps' output included, to the text file `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", errors="replace") as file:
        log = Plain(file, 1, {})

        def both(event: Event) -> None:
            log.show(event)
            sink(event)

        try:
            yield both
        except WslimgError as error:
            file.write(f"error: {error}\n")
            raise
        finally:
            log.close()


def describe_error(error: WslimgError, stream: TextIO | None = None) -> None:
    """Print an error a user can act on; in colour where the stream shows it."""
    stream = stream or sys.stderr
    label = "\x1b[1;31merror:\x1b[0m" if _colour(stream, os.environ) else "error:"
    print(f"{label} {error}", file=stream, flush=True)


def _choose(mode: str, stream: TextIO, environ: Mapping[str, str]) -> type[Plain]:
    if mode == "auto":
        interactive = stream.isatty() and environ.get("TERM", "") != "dumb" and "CI" not in environ
        mode = "bar" if interactive else "plain"
    return {"bar": Bars, "plain": Plain, "json": JsonLines}[mode]


def _colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    return stream.isatty() and not environ.get("NO_COLOR")


class Plain:
    """One line an event, for logs and CI; steps' output with verbosity 1; nothing but warnings with -1."""

    def __init__(self, stream: TextIO, verbosity: int, environ: Mapping[str, str]) -> None:
        self.stream = stream
        self.verbosity = verbosity
        self.colour = _colour(stream, environ)
        self.groups = _groups_of(environ)
        self._partial: dict[str, bytes] = {}

    def show(self, event: Event) -> None:
        """Render one event."""
        match event:
            case Note(level="warning"):
                self.line(self.paint("33", "warning: ") + event.message)
            case _ if self.verbosity < 0:
                pass
            case Note():
                self.line(event.message)
            case StageStarted():
                self.start_stage(event)
            case StageFinished():
                self.finish_stage(event)
            case Step():
                self.show_step(event)
            case Progress():
                self.show_progress(event)
            case Output() if self.verbosity > 0:
                self.show_output(event)
            case Output():
                pass

    def start_stage(self, event: StageStarted) -> None:
        """Open the group that CI systems fold."""
        if self.groups:
            self.line(self.groups[0].format(name=event.name))

    def finish_stage(self, event: StageFinished) -> None:
        """The stage's one line, and the end of its group."""
        detail = f"  {event.detail}" if event.detail else ""
        self.line(f"{self.paint('1', f'{event.name:<8}')} {event.seconds:6.1f} s{detail}")
        if self.groups:
            self.line(self.groups[1].format(name=event.name))

    def show_step(self, event: Step) -> None:
        """What ran and what did not have to."""
        place = f"  [{event.index}/{event.count}]"
        title = shorten(event.title, _TITLE_WIDTH)
        if event.state == "cached":
            self.line(f"{place} {title}  {self.paint('32', 'cached')}")
        elif event.state == "running":
            self.line(f"{place} {title}")
        else:
            self.flush_output()
            self.line(f"{place} took {event.seconds:.1f} s")

    def show_progress(self, event: Progress) -> None:
        """Nothing but the end: a log needs no movement."""
        if event.total and event.done >= event.total:
            self.line(f"  {event.label}: {_amount(event.total, event.unit)}")

    def show_output(self, event: Output) -> None:
        """Whole lines of a step's output, indented; the rest waits for its end of line."""
        data = self._partial.pop(event.stream, b"") + event.data
        *lines, rest = data.split(b"\n")
        for line in lines:
            self.line("      " + line.rstrip(b"\r").decode("utf-8", "replace"))
        if rest:
            self._partial[event.stream] = rest

    def flush_output(self) -> None:
        """Show what a step printed without an end of line."""
        for stream in sorted(self._partial):
            self.line("      " + self._partial[stream].decode("utf-8", "replace"))
        self._partial.clear()

    def paint(self, code: str, text: str) -> str:
        """`text` in the SGR colour `code`, where colours are shown."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def line(self, text: str) -> None:
        """Print one line."""
        print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Show what is left."""
        self.flush_output()


class Bars(Plain):
    """Plain, with a tqdm bar for what takes time."""

    def __init__(self, stream: TextIO, verbosity: int, environ: Mapping[str, str]) -> None:
        from tqdm import tqdm  # takes longer than all else of a console, and CI never draws a bar

        super().__init__(stream, verbosity, environ)
        tqdm.monitor_interval = 0  # its thread would forbid entering a user namespace
        self._tqdm = tqdm
        self._bars: dict[str, tqdm[Never]] = {}

    def show_progress(self, event: Progress) -> None:
        """Move the bar of this label; it goes when it is full."""
        bar = self._bars.get(event.label)
        if bar is None:
            bar = self._bars[event.label] = self._new_bar(event)
        bar.total = event.total or None
        bar.update(event.done - bar.n)
        if event.total and event.done >= event.total:
            self._bars.pop(event.label).close()

    def _new_bar(self, event: Progress) -> tqdm[Never]:
        size = event.unit == "B"
        return self._tqdm(
            desc=f"  {event.label}",
            total=event.total or None,
            unit=event.unit if size else f" {event.unit}",
            unit_scale=size,
            unit_divisor=1024,
            leave=False,
            file=self.stream,
            dynamic_ncols=True,
        )

    def line(self, text: str) -> None:
        """Print above the bars."""
        self._tqdm.write(text, file=self.stream)

    def close(self) -> None:
        """Take the bars away."""
        super().close()
        for bar in self._bars.values():
            bar.close()
        self._bars.clear()


class JsonLines(Plain):
    """One JSON object an event: `{"event": "Step", ...}`; output as text, U+FFFD for what is no UTF-8."""

    def show(self, event: Event) -> None:
        """Render one event."""
        fields = asdict(event)
        if isinstance(event, Output):
            fields["data"] = event.data.decode("utf-8", "replace")
        self.line(json.dumps({"event": type(event).__name__, **fields}))


def _groups_of(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """How this CI system folds lines: GitHub Actions' workflow commands, GitLab's section markers."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return "::group::{name}", "::endgroup::"
    if environ.get("GITLAB_CI") == "true":
        marker = "\x1b[0Ksection_{what}:{now}:{{name}}\r\x1b[0K"
        now = int(time.time())
        return marker.format(what="start", now=now) + "{name}", marker.format(what="end", now=now)
    return None


def _amount(number: int, unit: str) -> str:
    if unit != "B":
        return f"{number} {unit}"
    return format_size(number)


def shorten(text: str, width: int) -> str:
    """`text` on one line of at most `width` characters, with an ellipsis for what was cut."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 4] + " ..."


def format_size(size: float) -> str:
    """`size` bytes for people: "812 B", "4.2 MB" (powers of ten, as file sizes are sold and compared)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
