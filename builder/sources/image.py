"""A container image: from a registry or a file without any container engine, or from an engine's own store.

    source:
      image: debian:trixie@sha256:...      # a tag, a digest, or both; docker.io is the default registry

    source:
      image:
        reference: registry.example.org/team/base:1.4
        mirror: mirror.example.org/cache   # asked first
        platform: linux/arm64/v8           # a variant; the architecture is always the recipe's
        insecure: true                     # plain HTTP, which otherwise only loopback addresses get

    source:
      image:
        archive: base.tar                  # from `docker save`, `podman save` or `skopeo copy`
        name: team/base:1.4                # where it holds several

    source:
      image: {layout: build/oci}           # a folder in OCI layout

    source:
      image: docker-daemon:team/base:1.4   # what `docker images` lists: the container engine is asked for it

Logins are those of `docker login` and `podman login`, credential helpers included. ENV becomes
/etc/profile.d/00-image-env.sh; what has no place in a system (ENTRYPOINT, VOLUME ...) is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from builder.core.blobs import Blobs
from builder.core.digests import sha256_bytes
from builder.core.errors import ResolveError
from builder.core.events import Note
from builder.model.entry import Entry
from builder.model.fields import Flag, Line, matching
from builder.model.lock import ArchitectureLock, ImageSource, LockedImage, UnfoldedTar
from builder.model.operation import Operation
from builder.sources.oci import pull
from builder.sources.oci.base import check_present, lock_image
from builder.sources.oci.engine import take_again, take_named
from builder.sources.oci.local import Layout, open_files, read_saved
from builder.sources.oci.manifest import Index, Manifest, Platform, parse_document, parse_platform
from builder.sources.oci.reference import locate, locate_mirror, parse_reference
from builder.sources.oci.registry import Registry
from builder.sources.oci.settings import describe_left_behind, image_operations
from builder.sources.source import SourceKind, SourceModel, StepRequest, Supply, no_surroundings

ENGINE = "docker-daemon:"
"""Begins the reference of an image that a container engine has, as skopeo(1) spells it."""

_FORMAT = "image-1"
_OF_REGISTRIES: tuple[str, ...] = ("mirror", "insecure")
_PLATFORM = matching(r"linux/(amd64|arm64)(/v[0-9]+)?", "a platform such as linux/arm64/v8")


class Image(SourceModel):
    """A container image."""

    short_form: ClassVar[str] = "reference"

    reference: Line | None = Field(
        default=None, description="[HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], or docker-daemon:NAME[:TAG]"
    )
    layout: Path | None = Field(default=None, description="a folder in OCI layout, relative to the recipe")
    archive: Path | None = Field(
        default=None, description="what `docker save` or `skopeo copy` wrote, relative to the recipe"
    )
    name: Line | None = Field(default=None, description="the image in an archive or layout of several")
    mirror: Line | None = Field(default=None, description="[https://]HOST[:PORT][/PREFIX], asked first")
    platform: Annotated[str, _PLATFORM] | None = Field(default=None, description="picks a variant")
    insecure: Flag | None = Field(default=None, description="whether to speak plain HTTP")

    @field_validator("reference")
    @classmethod
    def _check_reference(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_reference(value.removeprefix(ENGINE))
            except ResolveError as error:
                raise ValueError(f"{error.where} {error.message}") from None
        return value

    @model_validator(mode="after")
    def _check_one_place(self) -> Image:
        given = [name for name in ("reference", "layout", "archive") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"has {' and '.join(given) or 'none'} of reference, layout and archive, expected one"
            )
        place, meaningless = given[0], _OF_REGISTRIES
        if self.engine_name is not None:
            place, meaningless = "an image of an engine", ("name", *_OF_REGISTRIES)
        elif self.reference is not None:
            meaningless = ("name",)
        for name in meaningless:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} has no meaning with {place}")
        return self

    @property
    def engine_name(self) -> str | None:
        """What a container engine is to know the image by; None where it is elsewhere."""
        if self.reference is None or not self.reference.startswith(ENGINE):
            return None
        return self.reference.removeprefix(ENGINE)

    @property
    def title(self) -> str:
        """Its name, or that of its file."""
        return self.reference or f"image {self.layout or self.archive}"

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """The archive."""
        return () if self.archive is None else (("archive", self.archive),)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Opened:
    """Where an image comes from, the document found there with its digest, and what to call it."""

    origin: pull.Origin
    found: Manifest | Index
    digest: str
    name: str


def resolve_image(
    source: Image,
    architecture: str,
    _requests: tuple[StepRequest, ...],
    supply: Supply,
    _versions: Mapping[str, str] = {},
) -> ArchitectureLock:
    """What the image is now; its layers are then among the blobs. Packages of steps are not resolved: an
    image does not say where they come from. Raises ResolveError."""
    if source.engine_name is not None:
        return _resolve_local(source.engine_name, source, architecture, supply)
    opened = _open(source, supply)
    platform = _choose_platform(source, architecture, opened.name)
    image, layers = _load(opened, platform, supply)
    locked = ImageSource(
        reference=opened.name,
        platform=str(image.configuration.platform),
        manifest=image.manifest,
        layers=layers,
        config=image.configuration.settings,
    )
    return lock_image(locked, image.configuration.created, supply.blobs)


def fetch_image(source: Image, lock: ArchitectureLock, supply: Supply) -> None:
    """Have the layers that `lock` names among the blobs. Raises ResolveError."""
    locked = lock.source
    assert isinstance(locked, ImageSource)
    if all(supply.blobs.has(layer.sha256, layer.size) for layer in locked.layers):
        return
    if source.engine_name is not None:
        take_again(source.engine_name, locked, supply)
    else:
        _load(_open(source, supply, digest=locked.manifest), parse_platform(locked.platform), supply)
    check_present(locked.layers, supply.blobs, locked.reference)


def image_inputs(locked: LockedImage, architecture: str) -> tuple[str, ...]:
    """What the key of the base digests: the layers in their order."""
    return _FORMAT, f"architecture {architecture}", *(f"layer {layer.sha256}" for layer in locked.layers)


def image_entries(locked: LockedImage, _architecture: str, blobs: Blobs) -> Iterator[Entry]:
    """The flattened layers; `fetch_image` comes first. Raises ResolveError."""
    return pull.merge_tars(locked.layers, blobs, locked.reference).entries()


def locked_operations(locked: LockedImage, _architecture: str) -> tuple[Operation, ...]:
    """What carries the image's environment over."""
    return image_operations(locked.config)


def describe_image(locked: LockedImage) -> str:
    """How many layers of what size it has."""
    size = sum(layer.size for layer in locked.layers)
    count = len(locked.layers)
    return f"{count} layer{'s' if count != 1 else ''}, {size / 1e6:.0f} MB, sha256 {locked.manifest[:12]}"


def image_remarks(lock: ArchitectureLock) -> tuple[str, ...]:
    """What the image says that the system does not do."""
    assert isinstance(lock.source, LockedImage)
    return describe_left_behind(lock.source.config, lock.source.user)


IMAGE = SourceKind(
    model=Image,
    locked=ImageSource,
    resolve=resolve_image,
    fetch=fetch_image,
    inputs=image_inputs,
    entries=image_entries,
    operations=locked_operations,
    surround=no_surroundings,
    describe=describe_image,
    remarks=image_remarks,
)


def _resolve_local(name: str, source: Image, architecture: str, supply: Supply) -> ArchitectureLock:
    """The image that the container engine knows as `name`."""
    platform = _choose_platform(source, architecture, name)
    with supply.images() as store:
        taken = take_named(store, name, platform, supply)
    locked = ImageSource(
        reference=f"{ENGINE}{name}",
        platform=str(taken.configuration.platform),
        manifest=taken.id,
        layers=taken.layers,
        config=taken.configuration.settings,
    )
    return lock_image(locked, taken.configuration.created, supply.blobs)


def _open(source: Image, supply: Supply, *, digest: str = "") -> _Opened:
    """The image that `source` names, or the manifest `digest` (64 hex digits) from the same place."""
    if source.reference is not None:
        return _open_remote(source, source.reference, supply, digest)
    path = source.layout or source.archive
    assert path is not None, "the model has one of them"
    return _open_local(supply.folder / path, source.name or "", supply, digest)


def _open_remote(source: Image, text: str, supply: Supply, digest: str) -> _Opened:
    """From the mirror if there is one that has it, else from the registry itself."""
    reference = parse_reference(text)
    endpoints = [locate(reference, insecure=source.insecure)]
    if mirror := supply.mirror or source.mirror:
        endpoints.insert(0, locate_mirror(reference, mirror, insecure=source.insecure))
    wanted = f"sha256:{digest}" if digest else reference.wanted
    for endpoint in endpoints:
        registry = Registry(endpoint, http=supply.http)
        try:
            data = registry.manifest(wanted)
        except ResolveError as error:
            if endpoint is endpoints[-1]:
                raise
            supply.sink(Note(message=f"{endpoint.host} is not used: {error.message}"))
            continue
        found = parse_document(data, registry.where(wanted))
        return _Opened(origin=registry, found=found, digest=sha256_bytes(data), name=str(reference))
    raise AssertionError("the last endpoint raises")


def _open_local(path: Path, name: str, supply: Supply, digest: str) -> _Opened:
    where = str(path)
    if not path.exists():
        raise ResolveError("does not exist, expected an image", where=where)
    files = open_files(path, where, supply.blobs)
    title = f"{where} ({name})" if name else where
    layout = Layout(files=files)
    if (index := layout.index(name)) is not None:
        found = parse_document(layout.manifest(f"sha256:{digest}"), where) if digest else index
        return _Opened(origin=layout, found=found, digest=digest, name=title)
    if (saved := read_saved(files, name)) is not None:
        if digest not in ("", saved[0].config.digest):
            raise ResolveError(f"sha256:{digest}, which the lock names, is not in it any more", where=where)
        return _Opened(origin=saved[0], found=saved[1], digest=saved[0].config.digest, name=title)
    raise ResolveError(
        "holds no image: it has neither index.json nor manifest.json",
        where=where,
        fix="for a root file system write `archive: FILE` or `directory: FOLDER` as the source",
    )


def _load(opened: _Opened, platform: Platform, supply: Supply) -> tuple[pull.Image, tuple[UnfoldedTar, ...]]:
    """The image for `platform`, and its layers, which are then among the blobs."""
    image = pull.load_image(opened.origin, opened.found, opened.digest, platform, opened.name)
    return image, pull.fetch_layers(image, opened.origin, supply.blobs, supply.sink)


def _choose_platform(source: Image, architecture: str, where: str) -> Platform:
    """The recipe's architecture, with the variant that the source asks for."""
    platform = parse_platform(source.platform or f"linux/{architecture}")
    if platform.architecture != architecture:
        raise ResolveError(
            f"the source is for {source.platform}, the image is to be for {architecture}",
            where=where,
            fix="leave `platform` out, or the other of the recipe's `architectures`",
        )
    return platform
