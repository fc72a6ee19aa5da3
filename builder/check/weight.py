"""Rules about what only makes an image larger."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.names import show
from builder.model.entry import Kind
from builder.model.finding import Severity

_WASTE = {
    "a package cache": re.compile(
        rb"var/cache/(apt/(archives/.*\.deb|.*pkgcache\.bin)|dnf/.+|yum/.+|libdnf5/.+|zypp/.+|pacman/pkg/.+|apk/.+)",
        re.DOTALL,
    ),
    "package lists": re.compile(
        rb"var/lib/(apt/lists/.+_(Packages|Sources|Translation-.*|InRelease|Release).*|pacman/sync/.+)",
        re.DOTALL,
    ),
    "logs": re.compile(rb"var/log/.+", re.DOTALL),
    "temporary files": re.compile(rb"(var/)?tmp/.+", re.DOTALL),
    "caches of users": re.compile(rb"(root|home/[^/]+)/\.(cache|npm/_cacache|cargo/registry)/.+", re.DOTALL),
    "core dumps": re.compile(rb"(.*/)?core\.[0-9]+|var/lib/systemd/coredump/.+", re.DOTALL),
}
_PLACES = (b"var/", b"tmp/", b"root/", b"home/")
"""Where all of it lies but core dumps; most of a tree lies elsewhere."""
_WORTH_TELLING = 64 * 1024


def _find_waste(image: Image) -> Iterator[Hit]:
    files = [
        (path, node.size)
        for path, node in image.tree.nodes.items()
        if (path.startswith(_PLACES) or b"core." in path) and node.kind is Kind.FILE and node.size
    ]
    for what, pattern in _WASTE.items():
        found = sorted(pair for pair in files if pattern.fullmatch(pair[0]))
        total = sum(size for _, size in found)
        if total >= _WORTH_TELLING:
            yield Hit(f"/{show(found[0][0])}", f"{what}: {total} bytes in {len(found)} files")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL701",
        severity=Severity.INFO,
        title="There is dead weight",
        why="everyone downloads and stores it",
        source="Filesystem Hierarchy Standard 3.0",
        fix="remove it at the end of the build",
        find=_find_waste,
    ),
)
