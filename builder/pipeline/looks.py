"""What the files of a tree are, from their first bytes: seen while they are packed, or read afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterable

from builder.extraction.nature import HEAD, Look, classify
from builder.model.entry import Entry
from builder.pack.content import open_entry


class Looks(dict[bytes, Look]):
    """By path. It holds no file without content."""

    def see(self, entry: Entry, content: memoryview) -> None:
        """Look at the whole `content` of `entry`. May be called from several threads."""
        self[entry.path] = classify(bytes(content[:HEAD]))

    def look_at_others(self, entries: Iterable[Entry]) -> None:
        """Read the first bytes of those files that nobody has shown. Raises PackError."""
        for entry in entries:
            if entry.open is not None and entry.path not in self:
                with open_entry(entry) as file:
                    self[entry.path] = classify(os.read(file, min(HEAD, entry.size)))
