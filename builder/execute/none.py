"""No engine at all: what a plan without commands makes of a tree in memory.

Needs no privilege, namespace or daemon, and writes nothing but content that is named by its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from builder.core.blobs import Blobs
from builder.core.digests import sha256_json
from builder.core.errors import ExecuteError
from builder.core.events import Sink
from builder.execute.contents import store_content
from builder.execute.engine import Layer
from builder.execute.layers.put import put_entry
from builder.execute.memory import MemoryTree
from builder.model.entry import Entry
from builder.model.operation import Exec, PutEntry, Remove
from builder.model.surroundings import Surroundings

_FIX = "choose an engine that has containers: --engine sandbox, or --engine docker"


class NoEngine:
    """Keeps its layers as long as it is open; the content of files among `blobs`."""

    name = "none"

    def __init__(self, blobs: Blobs) -> None:
        self._store = partial(store_content, blobs=blobs)
        self._trees: dict[str, tuple[Layer, MemoryTree]] = {}
        self.surroundings = Surroundings()

    def layer(self, key: str) -> Layer | None:
        """See Engine."""
        return self._trees[key][0] if key in self._trees else None

    def base(self, key: str, entries: Callable[[], Iterable[Entry]]) -> Layer:
        """See Engine."""
        tree = MemoryTree(self._store)
        for entry in entries():
            tree.add(entry)
        return self._publish((), key, tree)

    def put(self, parent: Layer, key: str, entries: Iterable[PutEntry]) -> Layer:
        """See Engine."""
        tree = MemoryTree(self._store, self._tree(parent))
        for entry in entries:
            put_entry(tree, entry)
        return self._publish(parent.chain, key, tree)

    def remove(self, parent: Layer, key: str, remove: Remove) -> Layer:
        """See Engine."""
        tree = MemoryTree(self._store, self._tree(parent))
        tree.remove(remove.patterns)
        return self._publish(parent.chain, key, tree)

    def run(self, parent: Layer, key: str, exec_: Exec, sink: Sink) -> Layer:  # noqa: ARG002 - Engine's
        """Raises ExecuteError: there is no container to run a command in."""
        raise ExecuteError("is a command, which --engine none cannot run", fix=_FIX)

    def read(self, layer: Layer, path: str) -> bytes | None:
        """See Engine."""
        return self._tree(layer).read(path)

    def entries(self, layer: Layer) -> Iterator[Entry]:
        """See Engine."""
        return self._tree(layer).entries()

    def fingerprint(self, layer: Layer) -> str:
        """See Engine. Without commands there is nothing that a key does not tell."""
        return sha256_json([self.name, *layer.chain])

    def shell(self, layer: Layer, *, failed: str = "", argv: tuple[str, ...] = ()) -> int:  # noqa: ARG002 - Engine's
        """Raises ExecuteError: there is no container to open a shell in."""
        raise ExecuteError("--engine none can open no shell", fix=_FIX)

    def forget(self, keys: Iterable[str]) -> None:
        """See Engine."""
        for key in keys:
            self._trees.pop(key, None)

    def close(self) -> None:
        """See Engine."""
        self._trees.clear()

    def _tree(self, layer: Layer) -> MemoryTree:
        return self._trees[layer.key][1]

    def _publish(self, below: tuple[str, ...], key: str, tree: MemoryTree) -> Layer:
        layer = Layer(chain=(*below, key))
        self._trees[key] = layer, tree
        return layer
