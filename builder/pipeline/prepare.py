"""LOAD, RESOLVE and PLAN: what every command about a recipe does first."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from pathlib import Path

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError, UsageError
from builder.core.events import Sink
from builder.core.places import cache_folder
from builder.load.assets import read_assets
from builder.load.recipe import LoadedRecipe, load_recipe
from builder.model.lock import ArchitectureLock, Lock
from builder.model.plan import Plan
from builder.pipeline.stages import Timing, stage
from builder.plan import plan_base, plan_recipe
from builder.recipe import Recipe
from builder.resolve.lockfile import lock_path, read_lock, write_lock
from builder.resolve.resolve import locked_architecture, merge_lock, resolve_recipe
from builder.sources.source import Supply
from builder.sources.table import kind_of

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOptions:
    """What the command line decides. `architecture` None is this machine's, `mirror` None the usual one."""

    out: Path = Path("dist")
    engine: str = "auto"
    architecture: str | None = None
    locked: bool = False
    mirror: str | None = None
    use_cache: bool = True
    debug_shell: bool = False
    cache: Path = field(default_factory=cache_folder)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A recipe that is ready to be executed for `architecture`."""

    loaded: LoadedRecipe
    architecture: str
    lock: ArchitectureLock
    lock_file: Path
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


def open_supply(options: BuildOptions, sink: Sink) -> Supply:
    """Where sources get and keep what they are made of."""
    return Supply(blobs=Blobs(options.cache / "blobs"), mirror=options.mirror or "", sink=sink)


def prepare(
    loaded: LoadedRecipe, architecture: str, options: BuildOptions, sink: Sink, timing: Timing
) -> Prepared:
    """Resolve (or read the lock, when it is to be followed) and plan; writes the lock beside the recipe."""
    supply = open_supply(options, sink)
    lock_file = lock_path(loaded.path)
    with stage("resolve", sink, timing) as running:
        lock = find_lock(loaded, architecture, lock_file, options.locked, supply)
        running.detail = _describe_lock(lock)
    with stage("plan", sink, timing) as running:
        plan = make_plan(loaded, lock, architecture)
        running.detail = f"{len(plan.operations) + 1} operations"
    return Prepared(
        loaded=loaded, architecture=architecture, lock=lock, lock_file=lock_file, plan=plan, supply=supply
    )


def load(path: Path, sink: Sink, timing: Timing) -> LoadedRecipe:
    """The stage LOAD."""
    with stage("load", sink, timing) as running:
        loaded = load_recipe(path)
        running.detail = f"{loaded.recipe.name} {loaded.recipe.version}, {len(loaded.recipe.steps)} steps"
    return loaded


def find_lock(
    loaded: LoadedRecipe, architecture: str, lock_file: Path, locked: bool, supply: Supply
) -> ArchitectureLock:
    """What the lock says with `locked`; else what is so now, which is then written to `lock_file`."""
    if locked:
        return locked_architecture(read_lock(lock_file), loaded.recipe, architecture, str(lock_file))
    resolved = resolve_recipe(loaded.recipe, architecture, supply)
    save_lock(lock_file, merge_lock(loaded.recipe, architecture, resolved, read_old_lock(lock_file)))
    return resolved


def read_old_lock(path: Path) -> Lock | None:
    """The lock that is about to be replaced, if it can be read at all."""
    try:
        return read_lock(path)
    except ResolveError:
        return None


def save_lock(path: Path, lock: Lock) -> None:
    """Write the lock. Raises ResolveError where the folder is not writable."""
    try:
        write_lock(path, lock)
    except OSError as error:
        raise ResolveError(
            f"the lock cannot be written: {error.strerror}",
            where=str(path),
            fix="copy the recipe to a folder of yours, for example with `wslimg init`",
        ) from None


def make_plan(loaded: LoadedRecipe, lock: ArchitectureLock, architecture: str) -> Plan:
    """The stage PLAN."""
    kind = kind_of(loaded.recipe.source.model)
    base = plan_base(loaded.recipe.source.title, kind.inputs(lock.source, architecture), architecture)
    return plan_recipe(
        loaded.recipe,
        lock,
        architecture=architecture,
        base=base,
        preparation=kind.operations(lock.source, architecture),
        inputs=loaded.inputs,
        places=loaded.places,
        assets=read_assets(loaded.recipe.wsl, loaded.folder, where=str(loaded.path)),
    )


def _describe_lock(lock: ArchitectureLock) -> str:
    steps = sum(len(step.packages) for step in lock.steps)
    return f"{len(lock.source.packages)} packages in the base, {steps} in steps"
