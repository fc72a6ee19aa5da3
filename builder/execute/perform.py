"""Executes the operations of a plan that no layer is kept of yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO

from builder.core.digests import sha256_bytes
from builder.core.errors import ExecuteError
from builder.core.events import Sink, Step
from builder.execute.beginning import explain_beginning
from builder.execute.engine import Engine, Layer, StepFailedError
from builder.execute.layers.copy import copy_unchanged
from builder.model.entry import Entry, Kind
from builder.model.operation import Content, Edit, Exec, Put, PutEntry, Remove
from builder.model.plan import Plan, PlannedOperation

Editor = Callable[[bytes | None, tuple[str, ...]], bytes]


def perform_plan(
    plan: Plan,
    engine: Engine,
    base_entries: Callable[[], Iterable[Entry]],
    sink: Sink,
    *,
    editors: Mapping[str, Editor],
) -> Layer:
    """The finished layer of `plan`. What the engine has of it is reported as cached and not run.

    `base_entries` yields what the base is filled with, and is called only if it is missing. `editors` are
    the functions that `Edit.editor` names. Raises StepFailedError or ExecuteError naming place and title.
    """
    done, layer = _find_newest(plan, engine)
    progress = _Progress(plan, sink)
    progress.report_cached(done)
    if layer is None:
        with progress.running(0):
            layer = engine.base(plan.base.key, base_entries)
        done = 1
    for index, planned in enumerate(plan.operations[done - 1 :], start=done):
        with progress.running(index):
            layer = _perform(planned, layer, engine, sink, editors)
    return layer


def _find_newest(plan: Plan, engine: Engine) -> tuple[int, Layer | None]:
    """How many of base and operations are there already, and the layer that they make."""
    keys = [plan.base.key, *(planned.key for planned in plan.operations)]
    for index in range(len(keys), 0, -1):
        layer = engine.layer(keys[index - 1])
        if layer is not None:
            return index, layer
    return 0, None


class _Progress:
    """Reports base and operations as Step events."""

    def __init__(self, plan: Plan, sink: Sink) -> None:
        self._steps = [
            (plan.base.title, plan.base.key),
            *((each.title, each.key) for each in plan.operations),
        ]
        self._sink = sink

    def report_cached(self, count: int) -> None:
        for index in range(count):
            self._report(index, "cached")

    @contextmanager
    def running(self, index: int) -> Iterator[None]:
        start = time.monotonic()
        self._report(index, "running")
        yield
        self._report(index, "done", time.monotonic() - start)

    def _report(self, index: int, state: str, seconds: float = 0.0) -> None:
        title, key = self._steps[index]
        count = len(self._steps)
        self._sink(Step(title=title, key=key, index=index + 1, count=count, state=state, seconds=seconds))


def _perform(
    planned: PlannedOperation, layer: Layer, engine: Engine, sink: Sink, editors: Mapping[str, Editor]
) -> Layer:
    operation = planned.operation
    try:
        match operation:
            case Exec():
                return _run(planned.key, operation, layer, engine, sink)
            case Put():
                return engine.put(layer, planned.key, resolve_edits(operation, layer, engine, editors))
            case Remove():
                return engine.remove(layer, planned.key, operation)
    except StepFailedError as error:
        raise StepFailedError(
            f"{planned.title}: {error.message}",
            where=planned.place,
            fix=error.fix,
            exit_status=error.exit_status,
        ) from error
    except ExecuteError as error:
        where = f"{error.where}: " if error.where else ""
        raise ExecuteError(
            f"{planned.title}: {where}{error.message}", where=planned.place, fix=error.fix
        ) from error


def _run(key: str, exec_: Exec, layer: Layer, engine: Engine, sink: Sink) -> Layer:
    try:
        return engine.run(layer, key, exec_, sink)
    except StepFailedError as error:
        better = explain_beginning(engine, layer, exec_, error)
        if better is None:
            raise
        raise better from error


def resolve_edits(
    put: Put, layer: Layer, engine: Engine, editors: Mapping[str, Editor]
) -> tuple[PutEntry, ...]:
    """The entries of `put` with its edits applied to what they or `layer` hold."""
    entries = {entry.path: entry for entry in put.entries}
    for edit in put.edits:
        entry = entries.pop(edit.path, None) or _existing(edit, layer, engine)
        old = _content(entry)
        entries[edit.path] = _replace_content(edit, entry, editors[edit.editor](old, edit.arguments))
    return tuple(entries.values())


def _existing(edit: Edit, layer: Layer, engine: Engine) -> PutEntry | None:
    """The file that `layer` has, so that its mode and owner are kept."""
    data = engine.read(layer, edit.path)
    return (
        None if data is None else PutEntry(path=edit.path, kind=Kind.FILE, mode=None, content=_inline(data))
    )


def _content(entry: PutEntry | None) -> bytes | None:
    if entry is None or entry.kind is not Kind.FILE:
        return None
    if entry.content is None or entry.content.data is not None:
        return entry.content.data if entry.content else b""
    assert entry.content.path is not None, entry.path
    copy = BytesIO()
    copy_unchanged(entry.content.path, entry.content.digest, copy)
    return copy.getvalue()


def _replace_content(edit: Edit, entry: PutEntry | None, data: bytes) -> PutEntry:
    mode, uid, gid = (entry.mode, entry.uid, entry.gid) if entry else (edit.mode, edit.uid, edit.gid)
    return PutEntry(path=edit.path, kind=Kind.FILE, mode=mode, uid=uid, gid=gid, content=_inline(data))


def _inline(data: bytes) -> Content:
    return Content(digest=sha256_bytes(data), size=len(data), data=data)
