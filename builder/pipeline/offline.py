"""`build --offline`: a build from a bundle, where there is no network at all."""

from __future__ import annotations

from pathlib import Path

from builder.core.errors import ExecuteError
from builder.execute.store import find_layers
from builder.load.recipe import LoadedRecipe
from builder.model.lock import ArchitectureLock
from builder.model.plan import Plan, PlannedOperation
from builder.pipeline.resolving import follow_lock
from builder.pipeline.surround import uses_network
from builder.resolve.bundle import read_bundle_lock, unpack_bundle
from builder.sources.source import Supply

_ANEW = "make the bundle anew with `wslimg fetch`, where there is a network"


def open_bundle(path: Path, loaded: LoadedRecipe, architecture: str, supply: Supply) -> ArchitectureLock:
    """What the bundle `path` has locked for `architecture`, all its files verified and among the blobs.

    Raises ResolveError naming what does not fit the recipe, is missing or damaged.
    """
    locked = follow_lock(loaded, read_bundle_lock(path), architecture, where=str(path), fix=_ANEW)
    unpack_bundle(path, locked, supply.blobs, supply.sink)
    return locked


def refuse_network(plan: Plan, cache: Path, *, use_cache: bool) -> None:
    """Raises ExecuteError naming the first command of `plan` that would have to use the network."""
    operations = remaining_operations(plan, cache) if use_cache else plan.operations
    planned = next((each for each in operations if uses_network(each.operation)), None)
    if planned is not None:
        raise ExecuteError(
            f"{planned.title}: uses the network, and what it leaves is not in the cache",
            where=planned.place,
            fix="build once with a network on this machine, or have what it downloads beside the recipe",
        )


def remaining_operations(plan: Plan, cache: Path) -> tuple[PlannedOperation, ...]:
    """The operations of `plan` after the last one whose layer is in `cache`."""
    present = find_layers(cache, [planned.key for planned in plan.operations])
    last = max((i for i, planned in enumerate(plan.operations) if planned.key in present), default=-1)
    return plan.operations[last + 1 :]
