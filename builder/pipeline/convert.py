"""`wslimg convert`: an image, a Dockerfile, an archive or a folder as a checked `.wsl`, without a recipe of
one's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError, UsageError, WslimgError
from builder.core.events import Note, Sink
from builder.core.files import write_atomic
from builder.load.recipe import load_recipe
from builder.model.lock import ArchitectureLock
from builder.pipeline.build import BuildResult, OpenLog, build_image
from builder.pipeline.compose import (
    Offer,
    compose_recipe,
    legal_name,
    legal_version,
    look_at_tree,
    remark_on,
)
from builder.pipeline.guess import Guess, guess_source
from builder.pipeline.prepare import BuildOptions, host_architecture, supply_for
from builder.pipeline.resolving import keep_resolved, private_files
from builder.pipeline.room import make_folders
from builder.pipeline.stages import Timing, stage
from builder.recipe import Source
from builder.sources.oci.flatten import Tree
from builder.sources.source import Supply
from builder.sources.table import kind_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvertOptions:
    """`source` is what the user named. `output` is where the image alone goes, None for all files of a build
    in the folder of `build`. `recipe` is where the recipe is kept. `name` and `version` None are guessed."""

    source: str
    build: BuildOptions
    output: Path | None = None
    recipe: Path | None = None
    name: str | None = None
    version: str | None = None


def convert(options: ConvertOptions, sink: Sink, open_log: OpenLog) -> BuildResult:
    """Build what `options` name with a recipe made for it. Raises WslimgError; then no image is left."""
    make_folders(options.build)
    with _recipe_file(options.recipe) as file, _output_folder(options) as out:
        build = replace(
            options.build, architecture=options.build.architecture or host_architecture(), out=out
        )
        _write_recipe(file, options, build, sink)
        result = build_image(file, replace(build, locked=True), sink, open_log)
        if options.output is None:
            return result
        result.image.replace(options.output)
        return replace(result, image=options.output)


@contextmanager
def _recipe_file(wanted: Path | None) -> Iterator[Path]:
    """Where the recipe is written, with its lock beside it: gone after the block unless the user wants it."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="wslimg-") as folder:
            yield Path(folder, "recipe.yaml")
    elif wanted.exists():
        raise UsageError("is there already", where=str(wanted), fix="build it, or choose another name")
    else:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        yield wanted


@contextmanager
def _output_folder(options: ConvertOptions) -> Iterator[Path]:
    """Where the build puts its files: for an image alone a folder beside it, from which it is moved."""
    if options.output is None:
        yield options.build.out
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.output.parent, prefix=".wslimg-") as folder:
        yield Path(folder)


def _write_recipe(file: Path, options: ConvertOptions, build: BuildOptions, sink: Sink) -> None:
    """The recipe `file` and its lock."""
    architecture = build.architecture or host_architecture()
    with stage("look", sink, Timing()) as running:
        guess = guess_source(options.source, Blobs(build.cache / "blobs"))
        name = legal_name(options.name, guess)
        supply = supply_for(file.parent, private_files(file, name), build, sink)
        source, (lock, offer) = _find(guess, options.recipe, architecture, supply)
        running.detail = lock.facts.os_release.get("PRETTY_NAME", "a root file system")
    for line in remark_on(offer, options.source):
        sink(Note(message=line))
    version = legal_version(options.version, guess, lock)
    write_atomic(file, compose_recipe(name, version, architecture, source, offer).encode())
    keep_resolved(load_recipe(file), architecture, lock, sink)


def _find(
    guess: Guess, recipe: Path | None, architecture: str, supply: Supply
) -> tuple[Mapping[str, object], tuple[ArchitectureLock, Offer]]:
    """The source for `recipe`, and what it is: the one that is likely meant, else the other one. Raises the
    first one's ResolveError, with what became of the other."""
    source = _move_paths(guess.source, recipe)
    try:
        return source, _look(source, architecture, supply)
    except ResolveError as error:
        if guess.otherwise is None:
            raise
        try:
            found = _look(guess.otherwise, architecture, supply)
        except WslimgError as other:
            message = f"{error.message}; and as an image of a container engine: {other.message}"
            raise ResolveError(message, where=error.where, fix=error.fix) from error
        supply.sink(Note(message=f"{error.where}: {error.message}; the container engine has the image"))
        return guess.otherwise, found


def _look(source: Mapping[str, object], architecture: str, supply: Supply) -> tuple[ArchitectureLock, Offer]:
    """What `source` is now, and what its tree offers."""
    model = Source.model_validate(source).model
    kind = kind_of(model)
    lock = kind.resolve(model, architecture, (), supply, {})
    tree = Tree()
    tree.apply(kind.entries(lock.source, architecture, supply.blobs), model.title)
    return lock, look_at_tree(tree, lock)


def _move_paths(
    source: Mapping[str, str | Mapping[str, str]], recipe: Path | None
) -> dict[str, str | dict[str, str]]:
    """`source` with its paths as seen from a recipe that is kept, else absolute."""

    def see(key: str, text: str) -> str:
        if key in ("image", "url", "file"):
            return text
        return os.path.abspath(text) if recipe is None else os.path.relpath(text, recipe.parent)

    return {
        kind: see(kind, value)
        if isinstance(value, str)
        else {key: see(key, text) for key, text in value.items()}
        for kind, value in source.items()
    }
