"""LOAD, RESOLVE and PLAN: what every command about a recipe does first."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from builder.core.blobs import Blobs
from builder.core.errors import UsageError
from builder.core.events import Note, Sink
from builder.core.places import cache_folder
from builder.load.assets import read_assets
from builder.load.recipe import LoadedRecipe, load_recipe
from builder.model.lock import ArchitectureLock
from builder.model.plan import Plan
from builder.pipeline.drift import report_drift
from builder.pipeline.images import open_images
from builder.pipeline.offline import open_bundle, refuse_network
from builder.pipeline.refresh import refresh_inputs
from builder.pipeline.resolving import follow_lock, keep_resolved, list_private
from builder.pipeline.stages import Timing, stage
from builder.plan import plan_base, plan_recipe
from builder.recipe import Recipe
from builder.resolve.lockfile import lock_path, read_lock
from builder.resolve.resolve import resolve_recipe
from builder.sources.source import Supply
from builder.sources.table import kind_of

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOptions:
    """What the command line decides. `architecture` None is this machine's, `mirror` None the usual one.

    `offline` is the bundle to build from. `refresh` and `refresh_steps` (positions from 1) have `run` steps
    run again. `clock` gives the time that signed metadata has to be valid at, in seconds since the epoch.
    """

    out: Path = Path("dist")
    engine: str = "auto"
    isolation: str = "namespaces"
    architecture: str | None = None
    locked: bool = False
    offline: Path | None = None
    mirror: str | None = None
    refresh: bool = False
    refresh_steps: tuple[int, ...] = ()
    use_cache: bool = True
    debug_shell: bool = False
    cache: Path = field(default_factory=cache_folder)
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A recipe that is ready to be executed for `architecture`."""

    loaded: LoadedRecipe
    architecture: str
    lock: ArchitectureLock
    plan: Plan
    supply: Supply

    @property
    def recipe(self) -> Recipe:
        """The recipe itself."""
        return self.loaded.recipe

    @property
    def stem(self) -> str:
        """NAME_VERSION_ARCH, which the files of the image are called by."""
        return file_stem(self.recipe, self.architecture)


def host_architecture() -> str:
    """This machine's architecture in Debian's words. Raises UsageError for one that WSL does not run on."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise UsageError(
            f"this machine is {machine}, WSL runs on {' and '.join(_MACHINES)}", fix="give --arch"
        )
    return _MACHINES[machine]


def choose_architecture(recipe: Recipe, wanted: str | None, where: str) -> str:
    """`wanted` or this machine's. Raises UsageError unless the recipe is for it."""
    architecture = wanted or host_architecture()
    if architecture not in recipe.architectures:
        known = ", ".join(recipe.architectures)
        raise UsageError(
            f"the recipe is for {known}, not for {architecture}",
            where=where,
            fix="add it to the recipe's `architectures`, or choose one with --arch",
        )
    return architecture


def file_stem(recipe: Recipe, architecture: str) -> str:
    """NAME_VERSION_ARCH."""
    return f"{recipe.name}_{recipe.version}_{architecture}"


def open_supply(loaded: LoadedRecipe, options: BuildOptions, sink: Sink) -> Supply:
    """Where the source of `loaded` gets and keeps what it is made of."""
    return supply_for(loaded.lowest.path.parent, list_private(loaded), options, sink)


def supply_for(folder: Path, private: tuple[str, ...], options: BuildOptions, sink: Sink) -> Supply:
    """The same for a source whose paths are relative to `folder`, with files that are `private`."""
    blobs = Blobs(options.cache / "blobs")
    return Supply(
        blobs=blobs,
        folder=folder,
        mirror=options.mirror or "",
        now=int(options.clock()),
        sink=sink,
        images=partial(open_images, options.cache, blobs),
        private=private,
    )


def prepare(
    loaded: LoadedRecipe,
    architecture: str,
    options: BuildOptions,
    sink: Sink,
    timing: Timing,
    *,
    keep_lock: bool = False,
) -> Prepared:
    """Resolve (or read the lock, when it is to be followed) and plan; with `keep_lock` what was resolved
    becomes the lock beside the recipe, else nothing but the cache is written."""
    supply = open_supply(loaded, options, sink)
    with stage("resolve", sink, timing) as running:
        lock = find_lock(loaded, architecture, options, supply, keep=keep_lock)
        running.detail = _describe_lock(loaded, lock)
        report_drift(loaded, architecture, lock, sink)
        for line in kind_of(loaded.recipe.source.model).remarks(lock):
            sink(Note(message=line))
    with stage("plan", sink, timing) as running:
        inputs = refresh_inputs(loaded, options.cache, networked=options.refresh, steps=options.refresh_steps)
        plan = make_plan(loaded, lock, architecture, inputs)
        if options.offline is not None:
            refuse_network(plan, options.cache, use_cache=options.use_cache)
        running.detail = f"{len(plan.operations) + 1} operations"
    return Prepared(loaded=loaded, architecture=architecture, lock=lock, plan=plan, supply=supply)


def load(path: Path, sink: Sink, timing: Timing) -> LoadedRecipe:
    """The stage LOAD."""
    with stage("load", sink, timing) as running:
        loaded = load_recipe(path)
        count = len(loaded.recipe.steps)
        steps = "1 step" if count == 1 else f"{count} steps"
        running.detail = f"{loaded.recipe.name} {loaded.recipe.version}, {steps}"
    return loaded


def find_lock(
    loaded: LoadedRecipe, architecture: str, options: BuildOptions, supply: Supply, *, keep: bool
) -> ArchitectureLock:
    """What the bundle or the lock says, where one is to be followed; else what is so now, and is kept."""
    if options.offline is not None:
        return open_bundle(options.offline, loaded, architecture, supply)
    file = lock_path(loaded.path)
    if options.locked:
        return follow_lock(loaded, read_lock(file), architecture, where=str(file))
    resolved = resolve_recipe(loaded.recipe, architecture, supply, places=loaded.places)
    if keep:
        keep_resolved(loaded, architecture, resolved, supply.sink)
    return resolved


def make_plan(
    loaded: LoadedRecipe, lock: ArchitectureLock, architecture: str, inputs: Sequence[object] | None = None
) -> Plan:
    """The stage PLAN. `inputs` take the place of those that the steps of `loaded` have."""
    kind = kind_of(loaded.recipe.source.model)
    base = plan_base(loaded.recipe.source.title, kind.inputs(lock.source, architecture), architecture)
    return plan_recipe(
        loaded.recipe,
        lock,
        architecture=architecture,
        base=base,
        preparation=kind.operations(lock.source, architecture),
        inputs=loaded.inputs if inputs is None else inputs,
        places=loaded.places,
        owners=loaded.owners,
        assets=read_assets(loaded.recipe.wsl, loaded.folder, where=str(loaded.path)),
    )


def _describe_lock(loaded: LoadedRecipe, lock: ArchitectureLock) -> str:
    base = kind_of(loaded.recipe.source.model).describe(lock.source)
    steps = sum(len(step.packages) for step in lock.steps)
    return base + (f", {steps} packages in steps" if lock.steps else "")
