"""The tree that ships: what a plan's last layer holds, cleaned and settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from builder.core.digests import sha256_json
from builder.execute.engine import Engine, Layer
from builder.model.entry import Entry
from builder.pack.clean import CleanSettings, Removed, clean_tree
from builder.pack.clean_rules import RULES
from builder.pack.settle import settle_directories


class CleanedTree:
    """Iterates over the entries that ship; they, and what was cleaned away, are kept to be inspected.

    `key` names the tree: what the engine calls it, and everything about the cleaning.
    """

    def __init__(self, engine: Engine, layer: Layer, *, time: int, keep_password_hashes: bool) -> None:
        self._engine = engine
        self._layer = layer
        self._settings = CleanSettings(keep_password_hashes=keep_password_hashes)
        self._time = time
        self._kept: list[Entry] = []
        self._cleaned: list[Removed] = []
        self.key = sha256_json(
            [engine.fingerprint(layer), time, keep_password_hashes, [str(rule) for rule in RULES]]
        )

    def __iter__(self) -> Iterator[Entry]:
        shipped = clean_tree(self._engine.entries(self._layer), self._settings, self._cleaned.append)
        for entry in settle_directories(shipped, self._time):
            self._kept.append(entry)
            yield entry

    def collect(self) -> tuple[tuple[Entry, ...], tuple[Removed, ...]]:
        """All entries and all that was cleaned away; goes over the tree now if packing had no need to."""
        if not self._kept:
            deque(self, maxlen=0)
        return tuple(self._kept), tuple(self._cleaned)
