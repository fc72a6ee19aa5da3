"""Images that a container engine has: their layers come over as it saves them.

An engine saves in OCI layout (Docker since version 25), or as Docker used to (moby image/tarexport). A layer
is known by its digest, so the documents that come with it need not be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.meter import Meter
from builder.model.entry import Kind
from builder.model.images import ImageStore, LocalImage
from builder.model.lock import LockedImage, UnfoldedTar
from builder.sources.oci.config import Configuration, check_platform, parse_configuration
from builder.sources.oci.manifest import Platform, parse_platform
from builder.sources.oci.unfold import unfold
from builder.sources.source import Supply
from builder.tar.background import run_ahead
from builder.tar.parse import TarError
from builder.tar.read import TarReader

_BLOBS = b"blobs/sha256/"


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenImage:
    """An image of an engine whose layers, the lowest first, are among the blobs."""

    id: str
    configuration: Configuration
    layers: tuple[UnfoldedTar, ...]


def take_named(store: ImageStore, name: str, platform: Platform, supply: Supply) -> TakenImage:
    """As `take_image` does, the image that `store` knows as `name`."""
    found = store.find_image(name)
    if found is None:
        raise ResolveError(
            f"is no image of the engine at {store.where}",
            where=name,
            fix="`docker images` lists what it has; leave out `docker-daemon:` to ask the registry",
        )
    return take_image(store, found, platform, supply)


def take_again(name: str, locked: LockedImage, supply: Supply) -> None:
    """Have the layers of `locked` among the blobs if an engine still has the image, called `name` or not."""
    with supply.images() as store:
        found = store.find_image(f"sha256:{locked.manifest}") or store.find_image(name)
        if found is not None:
            take_image(store, found, parse_platform(locked.platform), supply)


def take_image(store: ImageStore, found: LocalImage, platform: Platform, supply: Supply) -> TakenImage:
    """Have the layers of `found`, which `store` has, among the blobs. Raises ResolveError, ExecuteError."""
    where = f"sha256:{found.id[:12]} of {store.where}"
    configuration = parse_configuration(found.configuration, where)
    check_platform(configuration.platform, platform, where)
    if any(supply.blobs.size(each) is None for each in configuration.diff_ids):
        meter = Meter("image", 0, supply.sink)
        collect_layers(_counted(store.save_image(f"sha256:{found.id}"), meter), supply.blobs, where)
    return TakenImage(
        id=found.id,
        configuration=configuration,
        layers=tuple(_layer(each, supply.blobs, where) for each in configuration.diff_ids),
    )


def collect_layers(archive: Iterable[bytes], blobs: Blobs, where: str) -> None:
    """Have every layer in what an engine saves among `blobs`, unfolded. Raises ResolveError."""
    with run_ahead(_gather(archive)) as pieces:
        try:
            for member in TarReader(pieces):
                if member.kind is Kind.FILE and member.name.startswith(_BLOBS) | member.name.endswith(
                    b".tar"
                ):
                    _collect_layer(member.body.chunks(), blobs, where)
        except TarError as error:
            raise ResolveError(error.message, where=f"{where}, {error.where}", fix=error.fix) from None


def _gather(pieces: Iterable[bytes], size: int = 1 << 20) -> Iterator[bytes]:
    """`pieces` in such of at least `size` bytes but for the last. Engines send 32 KB at a time, and to hand
    30,000 of them from thread to thread takes longer than what is done with them."""
    waiting: list[bytes] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += len(piece)
        if held >= size:
            yield b"".join(waiting)
            waiting, held = [], 0
    if waiting:
        yield b"".join(waiting)


def _collect_layer(chunks: Iterator[bytes], blobs: Blobs, where: str) -> None:
    """Keep a layer; among the blobs of a layout there are documents, too."""
    first = next(chunks, b"")
    if not first.startswith(b"{"):
        blobs.collect(unfold(_chain(first, chunks), where))


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _counted(pieces: Iterable[bytes], meter: Meter) -> Iterator[bytes]:
    for piece in pieces:
        meter.add(len(piece))
        yield piece


def _layer(digest: str, blobs: Blobs, where: str) -> UnfoldedTar:
    size = blobs.size(digest)
    if size is None:
        raise ResolveError(
            f"was saved without its layer sha256:{digest}",
            where=where,
            fix="pull or build the image again: the engine has lost a part of it",
        )
    return UnfoldedTar(sha256=digest, size=size)
