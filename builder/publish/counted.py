"""A file that tells how much of it was sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from builder.publish.target import Count


class CountedFile(io.FileIO):
    """Tells `count` what is read, since it was last read from the start: an upload may be tried again."""

    def __init__(self, source: Path, count: Count) -> None:
        super().__init__(source, "rb")
        self._count, self._sent = count, 0

    def rewind(self) -> BinaryIO:
        """Itself, for another attempt."""
        self._count(-self._sent)
        self._sent = 0
        self.seek(0)
        return self

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, counted."""
        data: bytes = super().read(size) or b""
        self._sent += len(data)
        self._count(len(data))
        return data
