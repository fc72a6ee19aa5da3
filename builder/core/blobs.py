"""Verified files by digest: downloaded packages, layers of container images, whatever a lock names."""

from __future__ import annotations

import hashlib
import os
import secrets
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

    def read(self, digest: str, size: int) -> bytes | None:
        """The blob `digest` of `size` bytes, verified; None if it is not there in full."""
        if not self.has(digest, size):
            return None
        data = self.path(digest).read_bytes()
        return data if hashlib.sha256(data).hexdigest() == digest else None

    def size(self, digest: str) -> int | None:
        """How many bytes the blob `digest` has, None if it is not there. Marks it as used."""
        path = self.path(digest)
        try:
            os.utime(path)
            return path.stat().st_size
        except FileNotFoundError:
            return None

    def collect(self, chunks: Iterable[bytes], *, digest: str = "", where: str = "") -> tuple[str, int]:
        """Store `chunks`, whatever they are, and return their digest and size in bytes. Raises ResolveError
        naming `where` if `digest` is given and they have another one."""
        sha, seen = hashlib.sha256(), 0
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".{secrets.token_hex(8)}.part"
        try:
            with part.open("xb") as file:
                for chunk in chunks:
                    seen += len(chunk)
                    sha.update(chunk)
                    file.write(chunk)
            found = sha.hexdigest()
            if digest not in ("", found):
                raise ResolveError(
                    f"unfolds to content with sha256 {found}, expected {digest}",
                    where=where,
                    fix="what is served is damaged or was altered: make it anew, or choose another source",
                )
            path = self.path(found)
            path.parent.mkdir(exist_ok=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return found, seen
