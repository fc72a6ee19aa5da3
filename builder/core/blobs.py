"""Verified files by digest: downloaded packages, layers of container images, whatever a lock names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from builder.core.errors import ResolveError
from builder.core.files import atomic_file


class Blobs:
    """A folder of immutable files, each under its SHA-256. Safe for any number of writers at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Where the blob `digest` is or would be."""
        return self.folder / digest[:2] / digest

    def has(self, digest: str, size: int) -> bool:
        """Whether the blob is there in full (`size` bytes); marks it as used, for the collector."""
        path = self.path(digest)
        try:
            if path.stat().st_size != size:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def add(self, digest: str, size: int, chunks: Iterable[bytes], *, where: str) -> Path:
        """Store `chunks` as the blob `digest`. Raises ResolveError naming `where` if they are not it."""
        sha, seen = hashlib.sha256(), 0
        path = self.path(digest)
        with atomic_file(path) as file:
            for chunk in chunks:
                seen += len(chunk)
                if seen > size:
                    raise ResolveError(f"is larger than the {size} bytes that were announced", where=where)
                sha.update(chunk)
                file.write(chunk)
            if (seen, sha.hexdigest()) != (size, digest):
                raise ResolveError(
                    f"has {seen} bytes with sha256 {sha.hexdigest()}, expected {size} bytes with {digest}",
                    where=where,
                    fix="the mirror or a proxy altered or cut the file: try again, or choose another mirror",
                )
        return path
