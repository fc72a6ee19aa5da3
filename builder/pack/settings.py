"""What a caller decides about an image, and what it learns of the one that was written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Kind(Enum):
    """How an image is compressed, by the names that a reader of archives has for it (`Compression`);
    Microsoft documents gzip and its validator knows xz besides.

    Source: microsoft/WSL distributions/validate.py. zstd is read by WSL 2's bsdtar only.
    """

    GZIP = "gzip"
    XZ = "xz"
    ZSTD = "zstd"
    NONE = "none"


class Preset(Enum):
    """The effort spent on a gzip image, as levels of libdeflate: 1, 5 and 9."""

    FAST = "fast"
    DEFAULT = "default"
    SMALL = "small"


@dataclass(frozen=True, kw_only=True, slots=True)
class PackSettings:
    """`time` clamps every mtime, in epoch seconds; `threads` compress, 0 for one a usable CPU.

    `single_member` writes one gzip member for readers that know no second; it is larger and slower.
    `tree_key` names the tree if its content can never change (a plan's key): with it an unchanged image
    is not even walked. Without `tar_digest` the archive's own SHA-256 is left out, for which the image would
    be read back where the cache knows its segments. `verify` expands whatever was compressed and compares.
    Only `time`, `kind`, `preset` and `single_member` have an influence on the image.
    """

    time: int
    kind: Kind = Kind.GZIP
    preset: Preset = Preset.DEFAULT
    single_member: bool = False
    threads: int = 0
    tree_key: str = ""
    tar_digest: bool = True
    verify: bool = False

    @property
    def workers(self) -> int:
        """How many threads compress."""
        return self.threads or len(os.sched_getaffinity(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class PackResult:
    """The image at `path`: `size` bytes with `sha256`; unpacked, `tar_size` bytes with `tar_sha256`.

    `compressor` names program, version and level, on which the bytes of the image depend besides the tree.
    `segments` were written, `reused` of them from the cache.
    """

    path: Path
    size: int
    sha256: str
    tar_size: int
    archive: Callable[[], str] = field(compare=False, repr=False)
    entries: int
    compressor: str
    segments: int
    reused: int

    @property
    def tar_sha256(self) -> str:
        """Empty where `PackSettings.tar_digest` is off. Waits until it is found; raises PackError where the
        image turns out to be damaged."""
        return self.archive()
