"""Which units of systemd an image enables and masks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.model.entry import Kind

_UNIT_FOLDERS = (
    "etc/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
_ENABLED = re.compile(r"\.(wants|requires|upholds)/[^/]+$")


def enabled_units(image: Image) -> Iterator[tuple[str, str]]:
    """Path and unit of every link in a `.wants` or `.requires` folder that is not to /dev/null."""
    for folder in _UNIT_FOLDERS:
        real = image.tree.resolve(folder.encode())
        if real is None or (real != folder.encode() and folder == "lib/systemd/system"):
            continue
        for path, node in image.below(folder):
            links = node.kind in (Kind.SYMLINK, Kind.FILE) and node.target != b"/dev/null"
            if links and _ENABLED.search(path):
                yield path, path.rpartition("/")[2]


def is_masked(image: Image, unit: str) -> bool:
    """Whether the administrator's folder masks `unit`, by a link to /dev/null or an empty file."""
    node = image.find(f"etc/systemd/system/{unit}", follow=False)
    if node is None:
        return False
    return node.target == b"/dev/null" or (node.kind is Kind.FILE and node.size == 0)
