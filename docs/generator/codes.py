"""The pages about exit codes and about the events of `--progress json`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import get_args

from builder.core.errors import ExitCode, WslimgError
from builder.core.events import Event
from docs.generator.markdown import code, page, table

_EXIT_INTRODUCTION = """\
The same for every command, so that scripts can rest on them. An error that you can act on is printed as
`error: PLACE: WHAT` with a line `fix:`, without a traceback; a traceback is a bug of wslimg."""

_MEANINGS = {
    ExitCode.OK: "It worked.",
    ExitCode.UNEXPECTED: 'A bug, or a command\'s own answer "no" where its help says so.',
    ExitCode.INTERRUPTED: "Ctrl-C, SIGTERM or SIGHUP. Nothing half-made is left behind.",
}

_EVENT_INTRODUCTION = """\
With `--progress json` each line of standard error is one JSON object. `event` names one of the kinds below,
the rest are its fields. Programs should ignore kinds and fields they do not know. An error is printed as text
after the last event, and the [exit code](exit-codes.md) tells its kind."""

_SAMPLE = """\
```json
{"event": "StageFinished", "name": "plan", "seconds": 0.05, "detail": "4 operations"}
```"""


def exit_codes_page() -> str:
    """docs/reference/exit-codes.md."""
    rows = [(code(str(each.value)), each.name.lower(), _meaning(each)) for each in ExitCode]
    return page("Exit codes", _EXIT_INTRODUCTION, table(("code", "name", "when"), rows))


def _meaning(exit_code: ExitCode) -> str:
    kinds = [each for each in WslimgError.__subclasses__() if each.exit_code is exit_code]
    told = [summary(each) for each in kinds if each.__module__ == WslimgError.__module__]
    return " ".join([*told, *([_MEANINGS[exit_code]] if exit_code in _MEANINGS else [])])


def summary(documented: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def events_page() -> str:
    """docs/reference/events.md."""
    return page("Events", _EVENT_INTRODUCTION, _SAMPLE, *map(_event, event_kinds()))


def event_kinds() -> Iterator[type]:
    """The classes of events."""
    yield from get_args(Event)


def _event(kind: type) -> str:
    rows = [(code(each.name), code(_json_type(str(each.type)))) for each in dataclasses.fields(kind)]
    return f"## {code(kind.__name__)}\n\n{summary(kind)}\n\n{table(('field', 'type'), rows)}"


def _json_type(annotation: str) -> str:
    return {"str": "string", "bytes": "string", "int": "number", "float": "number"}[annotation]
