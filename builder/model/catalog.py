"""What a catalog consists of: the files that are its truth, and the document that describes a channel.

Entries, marks and settings are written by commands; `ChannelDocument` (`catalog.json`) is derived from them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from builder.model.lock import Sha256

Architecture = Literal["amd64", "arm64"]
"""The architectures of Windows, by Debian's names."""
MarkKind = Literal["deprecated", "withdrawn"]
Channel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Flavor = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,100}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9.+~_-]{0,100}$")]
DEFAULT_CHANNEL = "stable"


class CatalogModel(BaseModel):
    """Strict and frozen, as every part of a catalog is."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoredFile(CatalogModel):
    """An immutable file of the catalog; `path` is relative to its root, `size` in bytes."""

    path: str
    size: int = Field(ge=0)
    sha256: Sha256


class Sidecar(StoredFile):
    """A file about an image; `kind` says what it tells: "manifest", "inventory", ..."""

    kind: str


class Publication(CatalogModel):
    """An entry: one image of one architecture in one channel. `published` is UTC, ISO 8601."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    flavor: Flavor
    version: Version
    architecture: Architecture
    name: str
    friendly_name: str
    default: bool = False
    description: str = ""
    details: dict[str, str] = {}
    published: str
    image: StoredFile
    sidecars: tuple[Sidecar, ...] = ()


class Mark(CatalogModel):
    """What was decided about a version of a channel later. `use` names what to take instead."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    kind: MarkKind
    flavor: Flavor
    version: Version
    use: str = ""
    marked: str


class Settings(CatalogModel):
    """What holds for the whole catalog. `base_url` is where Windows reads it; `default` is the flavor that
    `wsl --install` takes without a name; `signed` says that no list may be written without a signature,
    `site` that the pages for people are kept up to date, under the heading `title`. `images_url` is where
    Windows downloads images that are not below `base_url`: `{sha256}` in it stands for the digest of one,
    without it their paths follow. `lists_at` names the target that has the lists, "" if the images' has."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    base_url: str
    default: str = ""
    signed: bool = False
    site: bool = False
    title: str = ""
    images_url: str = ""
    lists_at: str = ""


class AuditRecord(CatalogModel):
    """Who changed what, and when (UTC, ISO 8601)."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    time: str
    who: str
    action: str
    channel: str
    subjects: tuple[str, ...]


class ListedImage(CatalogModel):
    """An image of a version. `current` says that the flavor's own name leads to it."""

    architecture: Architecture
    current: bool
    url: str
    published: str
    image: StoredFile
    sidecars: tuple[Sidecar, ...]


class ListedVersion(CatalogModel):
    """A version with all its architectures. A `withdrawn` one is in no distribution list; `marked` is when
    the newest of its marks was made, "" without any."""

    version: str
    name: str
    friendly_name: str
    description: str
    details: dict[str, str]
    withdrawn: bool
    deprecated: bool
    use: str
    marked: str = ""
    images: tuple[ListedImage, ...]


class ListedFlavor(CatalogModel):
    """A flavor with its versions, the newest first."""

    flavor: str
    friendly_name: str
    versions: tuple[ListedVersion, ...]


class ChannelDocument(CatalogModel):
    """The content of `catalog.json`. `updated` is the time of the newest change that it knows; `images_url`
    is that of the settings."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    channel: str
    base_url: str
    images_url: str = ""
    updated: str
    flavors: tuple[ListedFlavor, ...]
