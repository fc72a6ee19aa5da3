"""Layers as images of the engine.

The image of a layer is tagged `wslimg/layer:KEY` and says in its labels which layers it consists of. What
one is made of here is loaded, and so is exact; what a command left is committed, and fetched by saving.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from docker.errors import NotFound

from builder.core.blobs import Blobs
from builder.core.errors import ExecuteError
from builder.execute.docker.archive import describe_image, pack_image, pack_layer
from builder.execute.docker.connect import EngineClient, refusal
from builder.execute.docker.local import is_podman
from builder.model.entry import Entry, Kind
from builder.model.lock import UnfoldedTar
from builder.sources.oci.engine import collect_layers
from builder.sources.oci.flatten import Tree
from builder.sources.oci.scan import scan_tar

LAYERS = "wslimg/layer"
FAILED = "wslimg/failed"
LABEL = "org.wslimg"
STEP, CACHE, DOCKERFILE = "step", "cache", "dockerfile"
"""The values of the label: a container of a command, a volume, an image that is no layer."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLayer:
    """An image of the engine. `masks` has for each of its layers, the lowest first, the paths that were only
    made to mount something on."""

    id: str
    chain: tuple[str, ...]
    masks: tuple[tuple[str, ...], ...]
    diff_ids: tuple[str, ...]


class Images:
    """The images that `client` has of layers; their content goes through `blobs`."""

    def __init__(self, client: EngineClient, blobs: Blobs) -> None:
        self._api: Any = client.api  # its stubs lack half of the types
        self._blobs = blobs
        self._where = client.address.url
        info: dict[str, Any] = client.info()
        self._architecture = _ARCHITECTURES.get(info.get("Architecture", ""), info.get("Architecture", ""))
        version: dict[str, Any] = client.version()
        self._wants_all = _wants_all_layers(version, info)
        self._force = not is_podman(version)

    def find(self, key: str, *, repository: str = LAYERS) -> StoredLayer | None:
        """The image of the layer `key`."""
        try:
            found: dict[str, Any] = self._api.inspect_image(f"{repository}:{key}")
        except NotFound:
            return None
        labels = (found.get("Config") or {}).get("Labels") or {}
        if labels.get(f"{LABEL}.key") != key:
            return None
        return StoredLayer(
            id=found["Id"],
            chain=tuple(labels[f"{LABEL}.chain"].split(",")),
            masks=tuple(map(tuple, json.loads(unquote(labels[f"{LABEL}.masks"])))),
            diff_ids=tuple(each.removeprefix("sha256:") for each in found["RootFS"].get("Layers") or ()),
        )

    def load(self, below: StoredLayer | None, key: str, entries: Iterable[Entry]) -> None:
        """Have the layer `key` that `entries` are over `below`."""
        digest, size = self._blobs.collect(pack_layer(entries))
        new = UnfoldedTar(sha256=digest, size=size)
        tars = (*(self.tars(below) if below else ()), new)
        chain, masks = (below.chain, below.masks) if below else ((), ())
        labels = make_labels((*chain, key), (*masks, ()))
        config = describe_image(tars, labels, self._architecture)
        shipped = tars if self._wants_all else (new,)
        data = pack_image(config, f"{LAYERS}:{key}", tars, shipped, self._blobs)
        for answer in self._api.load_image(data):
            if "error" in answer:
                raise refusal(answer["error"], self._where)

    def commit(
        self, container: str, below: StoredLayer, key: str, mask: tuple[str, ...], *, repository: str = LAYERS
    ) -> None:
        """Make what `container` changed over `below` the layer `key`."""
        labels = make_labels((*below.chain, key), (*below.masks, mask))
        changes = [f"LABEL {name}={value}" for name, value in labels.items()]
        self._api.commit(container, repository, key, pause=False, changes=changes)

    def forget(self, key: str) -> None:
        """Take the names of the layer and the failed tree `key` away; what others need of them stays.

        Docker's force takes no more than the name where a container needs the image, Podman's the container
        as well: there it is not used, and such a container is an error.
        """
        for repository in (LAYERS, FAILED):
            with suppress(NotFound):
                self._api.remove_image(f"{repository}:{key}", force=self._force)

    def tree(self, stored: StoredLayer) -> Tree:
        """The tree of `stored`."""
        tree = Tree()
        masks = (*stored.masks, *([()] * len(stored.diff_ids)))
        for number, (tar, mask) in enumerate(zip(self.tars(stored), masks, strict=False), 1):
            where = f"layer {number} of {stored.id}"
            entries = scan_tar(self._blobs.path(tar.sha256), tar.sha256, where)
            tree.apply(_unmasked(entries, mask, tree), where)
        return tree

    def tars(self, stored: StoredLayer) -> tuple[UnfoldedTar, ...]:
        """The layers of `stored` among the blobs, the lowest first."""
        if any(self._blobs.size(each) is None for each in stored.diff_ids):
            self._save(stored)
        return tuple(UnfoldedTar(sha256=each, size=self._blobs.size(each) or 0) for each in stored.diff_ids)

    def _save(self, stored: StoredLayer) -> None:
        """Have all layers of `stored` among the blobs."""
        collect_layers(self._api.get_image(stored.id), self._blobs, f"layers of {stored.id}")
        if any(self._blobs.size(each) is None for each in stored.diff_ids):
            raise ExecuteError("the engine saves no image that can be read", where=stored.id)


def make_labels(chain: tuple[str, ...], masks: tuple[tuple[str, ...], ...]) -> dict[str, str]:
    """What an image says of itself, in values that need no quotes. One that is made again is another one."""
    return {
        f"{LABEL}.key": chain[-1],
        f"{LABEL}.chain": ",".join(chain),
        f"{LABEL}.masks": quote(json.dumps(masks)),
        f"{LABEL}.filling": secrets.token_hex(16),
    }


def _wants_all_layers(version: dict[str, Any], info: dict[str, Any]) -> bool:
    """Whether the engine loads no image without the layers that it has already: Docker's own store does
    (moby image/tarexport/load.go), Podman and containerd's do not."""
    return is_podman(version) or "io.containerd.snapshotter" in str(info.get("DriverStatus"))


def _unmasked(entries: Iterable[Entry], mask: tuple[str, ...], below: Tree) -> Iterator[Entry]:
    """`entries` without what an engine made only to mount something on, or its own /etc/mtab."""
    hidden = {path.strip("/").encode() for path in mask}
    ways = {b"/".join(path.split(b"/")[:end]) for path in hidden for end in range(1, path.count(b"/") + 2)}
    for entry in entries:
        made = entry.kind is not Kind.SYMLINK or entry.target == b"/proc/mounts"
        if not (made and entry.path in ways) or below.find(entry.path) is not None:
            yield entry
