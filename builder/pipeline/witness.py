"""Collects what the rules want to know of a tree while it is packed, so that no entry has to be kept."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from builder.check.collect import Collected
from builder.check.packed import EntryCollector
from builder.core.errors import PackError
from builder.extraction.nature import HEAD, classify
from builder.extraction.tree import Node
from builder.model.entry import Entry
from builder.pack.content import open_entry, unreadable

_WAITING = 4096
"""How many files wait to be shown: more than the packer has in hand, so that the others were not read."""


class Witness:
    """Of one tree, whose entries go through `pass_on` to the packer, which shows `see` what it reads."""

    def __init__(self) -> None:
        self._collector = EntryCollector()
        self._unseen: OrderedDict[bytes, tuple[Node, Entry]] = OrderedDict()
        self._problem: PackError | None = None

    def pass_on(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """`entries`, as the image has them, root first."""
        for entry in entries:
            if self._problem is None:
                self._take(entry)
            yield entry

    def see(self, entry: Entry, content: memoryview) -> None:
        """Look at the whole `content` of `entry`. May be called from several threads."""
        node, _ = self._unseen.pop(entry.path, (None, None))
        if node is not None:
            node.nature, node.machine = classify(bytes(content[:HEAD]))

    def collect(self) -> Collected:
        """All of it, when everything is packed; but for compression and sizes of the image.

        Raises PackError where a file changed before it was looked at that nobody had to read for the image.
        """
        while self._unseen and self._problem is None:
            self._look()
        if self._problem is not None:
            raise self._problem
        return self._collector.found

    def _take(self, entry: Entry) -> None:
        try:
            node = self._collector.add(entry)
        except OSError as error:
            self._problem = unreadable(entry, error)
            return
        if node is not None:
            self._unseen[entry.path] = node, entry
            if len(self._unseen) > _WAITING:
                self._look()

    def _look(self) -> None:
        """Read the beginning of the file that has waited longest."""
        _, (node, entry) = self._unseen.popitem(last=False)
        try:
            with open_entry(entry) as file:
                node.nature, node.machine = classify(os.read(file, min(HEAD, entry.size)))
        except PackError as error:
            self._problem = error
