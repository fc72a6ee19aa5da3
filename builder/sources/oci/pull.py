"""An image from wherever it is: its description, its layers among the blobs, and the tree they make."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import Sink
from builder.core.meter import Meter
from builder.core.threads import thread_pool
from builder.model.lock import UnfoldedTar
from builder.sources.oci.config import Configuration, check_platform, parse_configuration
from builder.sources.oci.flatten import Tree
from builder.sources.oci.manifest import (
    MAX_DOCUMENT,
    Descriptor,
    Index,
    Manifest,
    Platform,
    choose_image,
    parse_document,
)
from builder.sources.oci.scan import scan_tar
from builder.sources.oci.unfold import unfold

_CONNECTIONS = 4
_DEEPEST = 4


class Origin(Protocol):
    """Where an image comes from. All methods raise ResolveError."""

    def where(self, wanted: str) -> str:
        """What messages call the document or blob `wanted`."""

    def manifest(self, wanted: str) -> bytes:
        """The document with the digest `sha256:...`, verified."""

    def blob(self, descriptor: Descriptor) -> Generator[bytes, None, None]:
        """The content of a blob, verified when it ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """One image: the digest of its manifest, its configuration, and its layers from the lowest."""

    manifest: str
    configuration: Configuration
    layers: tuple[Descriptor, ...]


def load_image(origin: Origin, found: Manifest | Index, digest: str, platform: Platform, where: str) -> Image:
    """The image for `platform` among what was `found` under `digest`. Raises ResolveError."""
    for _ in range(_DEEPEST):
        if isinstance(found, Manifest):
            return _read_image(origin, found, digest, platform, where)
        digest = choose_image(found, platform, where).digest
        found = parse_document(origin.manifest(f"sha256:{digest}"), where)
    raise ResolveError("has indexes of indexes of indexes", where=where)


def _read_image(origin: Origin, manifest: Manifest, digest: str, platform: Platform, where: str) -> Image:
    if manifest.config.size > MAX_DOCUMENT:
        raise ResolveError(f"has a configuration of {manifest.config.size} bytes", where=where)
    configuration = parse_configuration(b"".join(origin.blob(manifest.config)), where)
    check_platform(configuration.platform, platform, where)
    if len(manifest.layers) != len(configuration.diff_ids):
        raise ResolveError(
            f"has {len(manifest.layers)} layers, but its configuration names {len(configuration.diff_ids)}",
            where=where,
        )
    return Image(manifest=digest, configuration=configuration, layers=manifest.layers)


def fetch_layers(image: Image, origin: Origin, blobs: Blobs, sink: Sink) -> tuple[UnfoldedTar, ...]:
    """Have the layers of `image` unfolded among `blobs`, several at once. Reports Progress in bytes as they
    are served. Raises ResolveError; what was not verified is not stored."""
    layers = dict(zip(image.configuration.diff_ids, image.layers, strict=True))
    missing = {each: layer for each, layer in layers.items() if blobs.size(each) is None}
    meter = Meter("layers", sum(layer.size for layer in missing.values()), sink)
    stop = threading.Event()

    def fetch(diff_id: str) -> None:
        layer = missing[diff_id]
        where = origin.where(f"sha256:{layer.digest}")
        with closing(origin.blob(layer)) as chunks:
            counted = _counted(chunks, meter, stop)
            blobs.collect(unfold(counted, where), digest=diff_id, where=where)

    with thread_pool(_CONNECTIONS, "layer", wait=True) as pool:
        try:
            tasks = [pool.submit(fetch, each) for each in missing]
            for task in tasks:
                task.result()
        except BaseException:
            stop.set()
            raise
    return tuple(
        UnfoldedTar(sha256=each, size=blobs.size(each) or 0) for each in image.configuration.diff_ids
    )


def _counted(chunks: Iterable[bytes], meter: Meter, stop: threading.Event) -> Iterator[bytes]:
    for chunk in chunks:
        if stop.is_set():
            raise ResolveError("was not fetched, as another layer failed")
        meter.add(len(chunk))
        yield chunk


def merge_tars(tars: Iterable[UnfoldedTar], blobs: Blobs, where: str) -> Tree:
    """The tree that layers among `blobs`, the lowest first, make; not to be changed. Raises ResolveError."""
    return _merge(tuple((tar.sha256, blobs.path(tar.sha256)) for tar in tars), where)


@lru_cache(maxsize=1)  # a build asks when it resolves and when it fills its base
def _merge(tars: tuple[tuple[str, Path], ...], where: str) -> Tree:
    tree = Tree()
    for number, (digest, path) in enumerate(tars, 1):
        name = f"{where}, layer {number}"
        tree.apply(scan_tar(path, digest, name), name)
    return tree
