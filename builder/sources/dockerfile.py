"""What a Dockerfile builds, by a container engine of yours; the steps may then run in any engine.

    source:
      dockerfile: .                        # the folder with the Dockerfile, relative to the recipe

    source:
      dockerfile:
        context: app
        file: docker/Dockerfile            # relative to the context
        target: runtime                    # a stage; the last one without
        args: {VERSION: "1.4"}
        secrets: {token: ~/.config/token, key: env:API_KEY}
        network: none                      # of its RUN instructions; that of the engine without

The engine is Docker, which builds with BuildKit, or Podman: DOCKER_HOST, the `docker context`, or a socket
of this machine. What `.dockerignore`, or `Dockerfile.dockerignore`, leaves out is not sent. Commands find a
secret where `RUN --mount=type=secret` puts it; its content is in no layer, lock, key or cache. The lock
holds the digest of the context and those of the images that FROM pulled.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from builder.core.errors import ResolveError
from builder.model.entry import Entry
from builder.model.fields import Line, SecretName, VariableName
from builder.model.images import BuiltImage, ImageBuild
from builder.model.lock import ArchitectureLock, BaseImage, DockerfileSource
from builder.sources.context.read import digest_context, read_context
from builder.sources.image import (
    describe_image,
    image_entries,
    image_inputs,
    image_remarks,
    locked_operations,
)
from builder.sources.oci.base import lock_image
from builder.sources.oci.engine import TakenImage, take_again, take_named
from builder.sources.oci.manifest import Platform, parse_platform
from builder.sources.source import SourceKind, SourceModel, StepRequest, Supply, no_surroundings

_VARIABLE = "env:"


class Dockerfile(SourceModel):
    """A Dockerfile and what it is built with."""

    short_form: ClassVar[str] = "context"

    context: Path = Field(description="the folder that is sent, relative to the recipe")
    file: Line = Field(default="Dockerfile", description="the Dockerfile, relative to the context")
    target: Line | None = Field(default=None, description="the stage to build; the last one without")
    args: dict[VariableName, str] = Field(default_factory=dict, description="values of its ARG instructions")
    secrets: dict[SecretName, Line] = Field(
        default_factory=dict, description="files, relative to the recipe, or env:NAME"
    )
    network: Literal["default", "none", "host"] = Field(
        default="default", description="what RUN instructions reach"
    )

    @field_validator("file")
    @classmethod
    def _check_file(cls, value: str) -> str:
        if os.path.isabs(value) or ".." in value.split("/"):
            raise ValueError(f"{value} is not in the context, expected a path below it")
        return os.path.normpath(value)

    @property
    def title(self) -> str:
        """The Dockerfile, and its stage if one is chosen."""
        stage = f", stage {self.target}" if self.target else ""
        return f"{self.context / self.file}{stage}"

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """The Dockerfile."""
        return (("file", self.context / self.file),)


def resolve_dockerfile(
    source: Dockerfile,
    architecture: str,
    _requests: tuple[StepRequest, ...],
    supply: Supply,
    _versions: Mapping[str, str] = {},
) -> ArchitectureLock:
    """What the Dockerfile builds now; the layers of that are then among the blobs. What is in the engine's
    build cache is not built again. Raises ResolveError, ExecuteError."""
    build = describe_build(source, architecture, supply)
    built, taken = _build(build, architecture, supply)
    locked = DockerfileSource(
        reference=source.title,
        platform=str(taken.configuration.platform),
        manifest=taken.id,
        layers=taken.layers,
        config=taken.configuration.settings,
        context=digest_context(build.context),
        bases=tuple(BaseImage(reference=name, sha256=digest) for name, digest in sorted(built.bases)),
    )
    return lock_image(locked, taken.configuration.created, supply.blobs)


def fetch_dockerfile(source: Dockerfile, lock: ArchitectureLock, supply: Supply) -> None:
    """Have the layers that `lock` names among the blobs: those of the engine's image, if that is still there,
    or of one that is built anew. Raises ResolveError where that is another one, as it mostly is."""
    locked = lock.source
    assert isinstance(locked, DockerfileSource)
    if _is_present(locked, supply):
        return
    take_again(f"sha256:{locked.manifest}", locked, supply)
    if not _is_present(locked, supply):
        architecture = parse_platform(locked.platform).architecture
        _build(describe_build(source, architecture, supply), architecture, supply)
    if not _is_present(locked, supply):
        raise ResolveError(
            "builds other layers than those of the lock: times and downloads differ",
            where=source.title,
            fix="`wslimg lock RECIPE` takes what it builds now; to carry one result to other machines, use "
            "`wslimg fetch`, or push the image and name it by its digest (`source: {image: ...}`)",
        )


def find_change(source: Dockerfile, lock: ArchitectureLock, folder: Path, private: tuple[str, ...]) -> str:
    """What the lock does not hold of the context as it is now. Raises ResolveError."""
    locked = lock.source
    if not isinstance(locked, DockerfileSource):
        return ""
    now = digest_context(_read_context(source, folder, private))
    return "" if now == locked.context else f"the files of {source.context} changed since the lock was made"


def describe_build(source: Dockerfile, architecture: str, supply: Supply) -> ImageBuild:
    """What the engine is asked for. Raises ResolveError."""
    context = _read_context(source, supply.folder, supply.private)
    if os.fsencode(source.file) not in {entry.path for entry in context}:
        raise ResolveError("does not exist", where=str(supply.folder / source.context / source.file))
    return ImageBuild(
        context=context,
        file=source.file,
        platform=f"linux/{architecture}",
        target=source.target or "",
        arguments=tuple(sorted(source.args.items())),
        secrets=tuple(_read_secrets(source.secrets, supply.folder)),
        network=source.network,
    )


DOCKERFILE = SourceKind(
    model=Dockerfile,
    locked=DockerfileSource,
    resolve=resolve_dockerfile,
    fetch=fetch_dockerfile,
    inputs=image_inputs,
    entries=image_entries,
    operations=locked_operations,
    surround=no_surroundings,
    describe=describe_image,
    remarks=image_remarks,
    changed=find_change,
)


def _build(build: ImageBuild, architecture: str, supply: Supply) -> tuple[BuiltImage, TakenImage]:
    with supply.images() as store:
        built = store.build_image(build, supply.sink)
        return built, take_named(store, built.id, Platform(architecture=architecture), supply)


def _read_context(source: Dockerfile, folder: Path, private: tuple[str, ...]) -> tuple[Entry, ...]:
    """The context without what is `private`, to which its secrets belong: COPY would keep them."""
    files = (place for place in source.secrets.values() if not place.startswith(_VARIABLE))
    secret = (glob.escape(os.path.abspath(_secret_path(place, folder))) for place in files)
    return read_context(folder / source.context, source.file, (*private, *secret))


def _secret_path(place: str, folder: Path) -> Path:
    return folder / Path(place).expanduser()


def _is_present(locked: DockerfileSource, supply: Supply) -> bool:
    return all(supply.blobs.has(layer.sha256, layer.size) for layer in locked.layers)


def _read_secrets(places: Mapping[str, str], folder: Path) -> Iterator[tuple[str, bytes]]:
    """The id and content of each secret."""
    for name, place in sorted(places.items()):
        if place.startswith(_VARIABLE):
            yield name, _read_variable(name, place.removeprefix(_VARIABLE))
            continue
        path = _secret_path(place, folder)
        try:
            yield name, path.read_bytes()
        except OSError as error:
            message = f"the secret {name} cannot be read: {error.strerror}"
            raise ResolveError(message, where=str(path)) from None


def _read_variable(name: str, variable: str) -> bytes:
    value = os.environ.get(variable)
    if value is None:
        raise ResolveError(
            f"the secret {name} is not there: {variable} is not set",
            fix=f"export {variable}, and build again",
        )
    return os.fsencode(value)
