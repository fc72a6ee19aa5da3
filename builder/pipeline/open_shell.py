"""`wslimg shell`: a shell in a throw-away copy of a tree that was built."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from builder.core.errors import UsageError
from builder.core.events import Sink
from builder.execute.engine import Engine, Layer
from builder.model.plan import Plan
from builder.pipeline.build import open_failed_tree
from builder.pipeline.prepare import BuildOptions, choose_architecture, load, prepare
from builder.pipeline.resolving import follow_fitting_lock
from builder.pipeline.stages import Timing
from builder.pipeline.start_engine import start_engine


def open_shell(path: Path, at: str | None, options: BuildOptions, argv: tuple[str, ...], sink: Sink) -> int:
    """Open a shell in the tree of the recipe `path`; returns its exit status.

    `at` is the number that `wslimg plan` shows for an operation, "failed" for what a failed step left, None
    for the finished tree. The lock of the last build is followed, whatever the mirror has by now. Raises
    UsageError where there is no such tree.
    """
    timing = Timing()
    loaded = load(path, sink, timing)
    architecture = choose_architecture(loaded.recipe, options.architecture, str(path))
    followed = follow_fitting_lock(loaded, architecture, sink) is not None
    options = replace(options, locked=options.locked or followed)
    prepared = prepare(loaded, architecture, options, sink, timing)
    with closing(start_engine(prepared, options, sink, for_shell=True)) as engine:
        if at == "failed":
            return open_failed_tree(prepared.plan, engine, argv)
        return engine.shell(_find_layer(prepared.plan, at, engine, path), argv=argv)


def _find_layer(plan: Plan, at: str | None, engine: Engine, path: Path) -> Layer:
    keys = [plan.base.key, *(planned.key for planned in plan.operations)]
    number = len(keys) if at is None else int(at) if at.isdecimal() else 0
    if not 1 <= number <= len(keys):
        raise UsageError(
            f"{at!r} is no operation, expected 1 to {len(keys)}, or failed", fix=f"see `wslimg plan {path}`"
        )
    layer = engine.layer(keys[number - 1])
    if layer is None:
        build = f"wslimg build --engine {engine.name} {path}"
        raise UsageError(f"operation {number} has not been built", fix=f"build it with `{build}`")
    return layer
