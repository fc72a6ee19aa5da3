"""`wslimg plan`: what a build would do, and why it would do it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from builder.core.events import Sink
from builder.execute.store import find_layers
from builder.model.plan import Plan
from builder.pipeline.history import explain_changes
from builder.pipeline.prepare import BuildOptions, choose_architecture, load, prepare
from builder.pipeline.stages import Timing


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedOperation:
    """One operation: its key, whether its layer is there, and if not, what changed since the last build."""

    key: str
    kind: str
    title: str
    place: str
    cached: bool
    network: bool
    change: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedPlan:
    """A plan with the state of its layers; `time` in epoch seconds clamps every mtime."""

    schema: int
    name: str
    version: str
    architecture: str
    time: int
    key: str
    operations: tuple[ExplainedOperation, ...]

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return asdict(self)


def explain_plan(path: Path, options: BuildOptions, sink: Sink) -> ExplainedPlan:
    """Load, resolve and plan the recipe `path`, and compare with the store. Raises WslimgError."""
    timing = Timing()
    loaded = load(path, sink, timing)
    architecture = choose_architecture(loaded.recipe, options.architecture, str(path))
    return explain(prepare(loaded, architecture, options, sink, timing).plan, options)


def explain(plan: Plan, options: BuildOptions) -> ExplainedPlan:
    """`plan` with what the store holds of it."""
    keys = (plan.base.key, *(planned.key for planned in plan.operations))
    present = find_layers(options.cache, keys)
    changes = explain_changes(plan, options.cache)
    base = ExplainedOperation(
        key=plan.base.key,
        kind="Base",
        title=plan.base.title,
        place="",
        cached=plan.base.key in present,
        network=False,
        change="" if plan.base.key in present else changes[0],
    )
    operations = (
        ExplainedOperation(
            key=planned.key,
            kind=type(planned.operation).__name__,
            title=planned.title,
            place=planned.place,
            cached=planned.key in present,
            network=getattr(planned.operation, "network", False),
            change="" if planned.key in present else change or "not in the cache any more",
        )
        for planned, change in zip(plan.operations, changes[1:], strict=True)
    )
    return ExplainedPlan(
        schema=1,
        name=plan.name,
        version=plan.version,
        architecture=plan.architecture,
        time=plan.time,
        key=plan.key,
        operations=(base, *operations),
    )
