"""Images that a container engine has or makes, as sources ask for them and engines answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from builder.core.events import Sink
from builder.model.entry import Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageBuild:
    """A Dockerfile and all that it is built with.

    `file` is its path in `context`, `target` a stage of it (empty for the last), `platform` is written
    OS/ARCHITECTURE[/VARIANT], `network` is Docker's word for one. `secrets` are contents by id: they are
    shown to commands that ask for them and kept nowhere.
    """

    context: tuple[Entry, ...] = field(repr=False)
    file: str
    platform: str
    target: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    network: str = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltImage:
    """The `id` that an engine gave to what it built. `bases` are the images that were pulled for FROM: their
    names, and the digests (64 hex digits) of what these stood for."""

    id: str
    bases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalImage:
    """An image of an engine: its `id` (64 hex digits), and its configuration in the form of OCI's config.md,
    with the digests of its unfolded layers."""

    id: str
    configuration: bytes


class ImageStore(Protocol):
    """The images of a container engine. All methods raise ExecuteError."""

    @property
    def where(self) -> str:
        """The engine, for messages."""

    def find_image(self, reference: str) -> LocalImage | None:
        """The image that the engine knows by this name or id (`sha256:` and hex digits)."""

    def save_image(self, reference: str) -> Iterator[bytes]:
        """The image as a tar archive: in OCI layout, or as `docker save` used to write it."""

    def build_image(self, build: ImageBuild, sink: Sink) -> BuiltImage:
        """Build an image; what commands print reaches `sink` live as `Output` events."""
