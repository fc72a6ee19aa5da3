"""The JSON record beside one image: what is inside and where it came from. No clock, no path, no mirror."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from builder.model.lock import Sha256


class ManifestModel(BaseModel):
    """Strict and frozen, as every part of a manifest is."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageFile(ManifestModel):
    """The `.wsl` itself. Sizes in bytes; `tar_sha256` compares images across compressors and versions."""

    file: str
    size: int
    sha256: Sha256
    tar_size: int
    tar_sha256: Sha256
    compression: str


class Origin(ManifestModel):
    """What the image was made from: digests of recipe and lock, the key of its tree, the base's own words."""

    recipe: Sha256
    lock: Sha256
    tree: Sha256
    base: str
    tool: str


class Cleaned(ManifestModel):
    """A path that was in the tree and does not ship, with the reason; `size` in bytes."""

    path: str
    reason: str
    size: int


class CatalogEntry(ManifestModel):
    """What a catalog needs to list the image."""

    flavor: str
    name: str
    friendly_name: str
    default: bool = False
    details: dict[str, str] = {}


class TestCase(ManifestModel):
    """A command that must exit with 0 in the started image, as `user` ("default" is the first-run user)."""

    user: str
    run: str
    network: bool


class Manifest(ManifestModel):
    """The content of `NAME_VERSION_ARCH.manifest.json`. `time` clamps mtimes, epoch seconds."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    name: str
    version: str
    architecture: str
    description: str = ""
    time: int
    image: ImageFile
    origin: Origin
    entries: int
    packages: int
    systemd: bool
    default_user_id: int | None = None
    catalog: CatalogEntry | None = None
    tests: tuple[TestCase, ...] = ()
    cleaned: tuple[Cleaned, ...] = ()


class InventoryEntry(ManifestModel):
    """One entry of the image. `sha256` for regular files; `target` for links; mode in octal text."""

    path: str
    kind: str
    mode: str
    uid: int
    gid: int
    size: int = 0
    mtime: int
    target: str = ""
    sha256: str = ""
    capabilities: str = ""


class InventoryPackage(ManifestModel):
    """One installed package, as the image's own package database names it."""

    name: str
    version: str
    architecture: str
    source: str = ""


class Inventory(ManifestModel):
    """The content of `NAME_VERSION_ARCH.inventory.json.zst`: everything reports and diffs need."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    image_sha256: Sha256
    packages: tuple[InventoryPackage, ...]
    entries: tuple[InventoryEntry, ...]
