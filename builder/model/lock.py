"""What a recipe's sources and packages were, exactly, when they were resolved.

A lock never holds a mirror's address: an archive is named by its role ("debian", "debian-security"),
a file by its path below the archive and its digest. Images, archives and folders are named by digests.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LockModel(BaseModel):
    """Strict and frozen, as every part of a lock is."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Package(LockModel):
    """One binary package. `path` is relative to the root of `archive`, `size` in bytes."""

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size: int
    sha256: Sha256


class Index(LockModel):
    """One signed package index: `path` is relative to `dists/SUITE` of `archive`."""

    archive: str
    suite: str
    path: str
    sha256: Sha256


class Release(LockModel):
    """The signed metadata of one suite; `date` is its `Date:` in seconds since the epoch."""

    archive: str
    suite: str
    date: int


class BootstrapSource(LockModel):
    """A base system made of packages."""

    kind: Literal["bootstrap"] = "bootstrap"
    distribution: str
    suite: str
    releases: tuple[Release, ...]
    indexes: tuple[Index, ...]
    packages: tuple[Package, ...]


class ImageConfig(LockModel):
    """What an image says of the containers made from it (OCI image specification, config.md)."""

    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    shell: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()


class UnfoldedTar(LockModel):
    """An uncompressed tar archive; `sha256` is what images call a diff id, `size` is in bytes."""

    sha256: Sha256
    size: int


class LockedImage(LockModel):
    """What is locked of an image, wherever it comes from. `reference` says that: its full name, or the file.

    `manifest` is the digest of the manifest for this architecture (of the configuration, where an archive
    of `docker save` or an engine has none), `platform` what it is for (linux/arm64/v8), `layers` begin with
    the lowest. `user` is the account that it runs as, if that is in its /etc/passwd and not root's.
    """

    reference: str
    platform: str
    manifest: Sha256
    layers: tuple[UnfoldedTar, ...]
    config: ImageConfig
    user: str = ""


class ImageSource(LockedImage):
    """A container image from a registry, a file, or an engine's store."""

    kind: Literal["image"] = "image"


class BaseImage(LockModel):
    """An image that a Dockerfile names, and the digest of what this stood for."""

    reference: str
    sha256: Sha256


class DockerfileSource(LockedImage):
    """What a Dockerfile became. `context` is the digest of what it was built with, `bases` are the images of
    registries that it was built on, as far as the engine tells."""

    kind: Literal["dockerfile"] = "dockerfile"
    context: Sha256
    bases: tuple[BaseImage, ...] = ()


class ArchiveSource(LockModel):
    """A root file system archive: the digest of the file, what it unfolds to, and the folder in it that
    becomes the root ("" for its top)."""

    kind: Literal["archive"] = "archive"
    sha256: Sha256
    tar: UnfoldedTar
    root: str = ""


class DirectorySource(LockModel):
    """A folder of the host, as the archive of what it held."""

    kind: Literal["directory"] = "directory"
    tar: UnfoldedTar


LockedSource = Annotated[
    BootstrapSource | ImageSource | DockerfileSource | ArchiveSource | DirectorySource,
    Field(discriminator="kind"),
]


class StepPackages(LockModel):
    """What the step at position `step` (0-based) of the recipe installs beyond the tree below it."""

    step: int
    packages: tuple[Package, ...]


class Facts(LockModel):
    """What planning needs to know of the base: `family` ("debian", ...) and the fields of os-release."""

    family: str
    os_release: dict[str, str]


class ArchitectureLock(LockModel):
    """Everything resolved for one architecture (Debian's names: amd64, arm64).

    `time` is in seconds since the epoch: the newest date in the signed metadata, when an image was made, or
    the newest file; never a clock.
    """

    time: int
    facts: Facts
    source: LockedSource
    steps: tuple[StepPackages, ...] = ()

    @property
    def packages(self) -> tuple[Package, ...]:
        """Every package: the base's, then those of each step."""
        base = self.source.packages if isinstance(self.source, BootstrapSource) else ()
        return (*base, *(package for step in self.steps for package in step.packages))


class Lock(LockModel):
    """The content of `NAME.lock`. `inputs` digests each part of the recipe that resolving reads."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    inputs: dict[str, Sha256]
    architectures: dict[str, ArchitectureLock]
