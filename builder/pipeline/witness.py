"""Collects what the rules want to know of a tree while it is packed, so that no entry has to be kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from builder.check.collect import Collected
from builder.check.packed import EntryCollector
from builder.extraction.nature import HEAD, classify
from builder.extraction.tree import Node
from builder.model.entry import Entry
from builder.pack.content import open_entry, unreadable


class Witness:
    """Of one tree, whose entries go through `pass_on` to the packer, which shows `see` what it reads."""

    def __init__(self) -> None:
        self._collector = EntryCollector()
        self._unseen: dict[bytes, tuple[Node, Entry]] = {}

    def pass_on(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """`entries`, as the image has them, root first. Raises PackError."""
        for entry in entries:
            try:
                node = self._collector.add(entry)
            except OSError as error:
                raise unreadable(entry, error) from error
            if node is not None:
                self._unseen[entry.path] = node, entry
            yield entry

    def see(self, entry: Entry, content: memoryview) -> None:
        """Look at the whole `content` of `entry`. May be called from several threads."""
        node, _ = self._unseen.pop(entry.path, (None, None))
        if node is not None:
            node.nature, node.machine = classify(bytes(content[:HEAD]))

    def collect(self) -> Collected:
        """All of it, when everything is packed; but for compression and sizes of the image. Files that
        nobody has shown are read now. Raises PackError."""
        for node, entry in self._unseen.values():
            with open_entry(entry) as file:
                node.nature, node.machine = classify(os.read(file, min(HEAD, entry.size)))
        return self._collector.found
