"""`wslimg build`: from a recipe to a checked image with its manifest and inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.core.errors import CheckError, UsageError
from builder.core.events import Note, Sink
from builder.core.files import write_atomic
from builder.execute.engine import Engine, Layer, StepFailedError
from builder.execute.perform import perform_plan
from builder.inspect.files import Seen, read_files
from builder.inspect.inventory import Taken, take_inventory
from builder.model.entry import Entry
from builder.model.finding import Finding, Severity
from builder.model.manifest import Cleaned, Manifest
from builder.model.plan import Plan
from builder.pack.cache import SegmentCache
from builder.pack.clean import Removed
from builder.pack.image import packed_tree
from builder.pack.settings import Kind, PackResult, PackSettings, Preset
from builder.pipeline.describe import describe_image, encode_manifest
from builder.pipeline.foreign import require_emulator
from builder.pipeline.history import remember_plan
from builder.pipeline.offline import remaining_operations
from builder.pipeline.prepare import BuildOptions, Prepared, choose_architecture, file_stem, load, prepare
from builder.pipeline.room import (
    explain_full_disks,
    make_folders,
    require_room_to_execute,
    require_room_to_pack,
)
from builder.pipeline.stages import Timing, stage
from builder.pipeline.start_engine import start_engine
from builder.pipeline.surround import surround
from builder.pipeline.tree import CleanedTree
from builder.pipeline.verify import Written, choose_options, verify_image
from builder.sources.table import kind_of
from builder.steps.editors import EDITORS

OpenLog = Callable[[Path, Sink], AbstractContextManager[Sink]]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildResult:
    """An image that was built: its files, what it is, what the check found, and seconds per stage."""

    image: Path
    manifest_file: Path
    inventory_file: Path
    log_file: Path
    manifest: Manifest
    findings: tuple[Finding, ...]
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """The written image, how and of which entries it was made, what was `seen` of their content, and what
    was cleaned away."""

    result: PackResult
    settings: PackSettings
    entries: tuple[Entry, ...]
    seen: Seen
    cleaned: tuple[Removed, ...]


def build_image(path: Path, options: BuildOptions, sink: Sink, open_log: OpenLog) -> BuildResult:
    """Build the recipe `path`. `open_log` makes the sink that also writes the log file beside the image.

    Raises WslimgError; then no image of this name is left that is not whole and checked.
    """
    timing = Timing()
    loaded = load(path, sink, timing)
    architecture = choose_architecture(loaded.recipe, options.architecture, str(path))
    make_folders(options)
    log_file = options.out / f"{file_stem(loaded.recipe, architecture)}.log"
    with explain_full_disks(options), open_log(log_file, sink) as logged:
        prepared = prepare(loaded, architecture, options, logged, timing, keep_lock=True)
        with closing(start_engine(prepared, options, logged)) as engine:
            layer = execute(prepared, engine, options, logged, timing)
            with pack(prepared, engine, layer, options, logged, timing) as packed:
                inventory = inspect(prepared, packed, options, logged, timing)
                findings = check(prepared, packed, inventory, logged, timing)
                return record(prepared, packed, inventory, findings, log_file, timing)


def execute(prepared: Prepared, engine: Engine, options: BuildOptions, sink: Sink, timing: Timing) -> Layer:
    """The stage EXECUTE: fetch what is not cached, then perform what is not cached."""
    plan, locked = prepared.plan, prepared.lock.source
    kind = kind_of(prepared.recipe.source.model)
    with stage("execute", sink, timing) as running:
        if not options.use_cache:
            engine.forget([plan.base.key, *(operation.key for operation in plan.operations)])
        if engine.layer(plan.key) is None:
            if engine.name == "sandbox":
                require_emulator(plan, remaining_operations(plan, options.cache))
            require_room_to_execute(prepared, options)
            kind.fetch(prepared.recipe.source.model, prepared.lock, prepared.supply)

        def base_entries() -> Iterable[Entry]:
            return kind.entries(locked, prepared.architecture, prepared.supply.blobs)

        try:
            with surround(plan, prepared.recipe, prepared.supply) as engine.surroundings:
                layer = perform_plan(plan, engine, base_entries, sink, editors=EDITORS)
        except StepFailedError as error:
            if options.debug_shell:
                sink(
                    Note(message=f"{error}\nopening a shell in the tree the step left; leave it with `exit`")
                )
                open_failed_tree(plan, engine)
            raise
        remember_plan(plan, options.cache)
        running.detail = f"tree {layer.key[:12]}"
    return layer


def open_failed_tree(plan: Plan, engine: Engine, argv: tuple[str, ...] = ()) -> int:
    """A shell in the tree that the first operation without a layer left; its exit status.

    Raises UsageError where none has failed, ExecuteError where the tree is not there any more.
    """
    failed = next((planned for planned in plan.operations if engine.layer(planned.key) is None), None)
    below = engine.layer(failed.parent) if failed is not None else None
    if failed is None or below is None:
        raise UsageError("no step of it has failed here", where=plan.name, fix="leave out `--at failed`")
    return engine.shell(below, failed=failed.key, argv=argv)


@contextmanager
def pack(
    prepared: Prepared, engine: Engine, layer: Layer, options: BuildOptions, sink: Sink, timing: Timing
) -> Iterator[Packed]:
    """The stage PACK: clean the tree and write the image, which has no name until the block ends well."""
    tree = CleanedTree(
        engine,
        layer,
        time=prepared.plan.time,
        keep_password_hashes=prepared.recipe.keep_password_hashes,
    )
    output = prepared.recipe.output
    settings = PackSettings(
        time=prepared.plan.time,
        kind=Kind(output.compression),
        preset=Preset(output.preset),
        tree_key=tree.key,
        verify=True,
    )
    segments = SegmentCache(options.cache / "segments") if options.use_cache else None
    image = options.out / f"{prepared.stem}.wsl"
    with ExitStack() as stack:
        with stage("pack", sink, timing) as running:
            require_room_to_pack(prepared, options)
            seen = Seen()
            result = stack.enter_context(
                packed_tree(tree, image, settings, cache=segments, sink=sink, watch=seen.see)
            )
            entries, cleaned = tree.collect()
            running.detail = f"{result.entries} entries, {result.reused} of {result.segments} segments reused"
        yield Packed(result=result, settings=settings, entries=entries, seen=seen, cleaned=cleaned)


def inspect(prepared: Prepared, packed: Packed, options: BuildOptions, sink: Sink, timing: Timing) -> Taken:
    """The stage INSPECT: what is inside, from the very entries that were packed."""
    with stage("inspect", sink, timing) as running:
        files = read_files(packed.entries, options.cache / "files", packed.seen)
        inventory = take_inventory(
            packed.entries, files, image_sha256=packed.result.sha256, time=prepared.plan.time
        )
        running.detail = f"{len(inventory.packages)} packages"
    return inventory


def check(
    prepared: Prepared, packed: Packed, inventory: Taken, sink: Sink, timing: Timing
) -> tuple[Finding, ...]:
    """The stage CHECK: judge the image before it has its name. Raises CheckError where a rule fails."""
    with stage("check", sink, timing) as running:
        written = Written(
            subject=packed.result.path.name,
            result=packed.result,
            settings=packed.settings,
            entries=packed.entries,
            looks={path: file.look for path, file in inventory.files.items()},
        )
        recipe, folder = prepared.recipe, prepared.loaded.folder
        options = choose_options(
            recipe.checks, folder, architecture=prepared.architecture, now=prepared.supply.now
        )
        report = verify_image(written, options)
        warnings, errors = report.count(Severity.WARNING), report.count(Severity.ERROR)
        running.detail = f"{errors} errors, {warnings} warnings"
    if not report.ok:
        raise _refuse(prepared, report.findings)
    return report.findings


def _refuse(prepared: Prepared, findings: tuple[Finding, ...]) -> CheckError:
    failing = [finding for finding in findings if finding.severity is not Severity.INFO]
    lines = "".join(f"\n  {each.rule} {each.path}: {each.message}\n    fix: {each.fix}" for each in failing)
    return CheckError(
        f"the image fails its check and is not kept:{lines}",
        where=prepared.stem,
        fix="`wslimg check --explain RULE` says why; `checks.disable` of the recipe takes one out",
    )


def record(
    prepared: Prepared,
    packed: Packed,
    inventory: Taken,
    findings: tuple[Finding, ...],
    log_file: Path,
    timing: Timing,
) -> BuildResult:
    """Write manifest and inventory of the checked image, which is about to get its name beside them."""
    folder = log_file.parent
    cleaned = tuple(Cleaned(path=each.path, reason=each.why, size=each.size) for each in packed.cleaned)
    manifest = describe_image(prepared, packed.result, inventory, cleaned)
    result = BuildResult(
        image=folder / f"{prepared.stem}.wsl",
        manifest_file=folder / f"{prepared.stem}.manifest.json",
        inventory_file=folder / f"{prepared.stem}.inventory.json.zst",
        log_file=log_file,
        manifest=manifest,
        findings=findings,
        seconds=timing.seconds,
    )
    write_atomic(result.inventory_file, inventory.data)
    write_atomic(result.manifest_file, encode_manifest(manifest))
    return result
