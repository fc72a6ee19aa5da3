"""What servers say about the files of a catalog: their type, and for how long they may be kept."""

from __future__ import annotations

from pathlib import PurePosixPath

from builder.publish.layout import IMAGES

FOREVER = "public, max-age=31536000, immutable"
"""For what never changes under its name (RFC 8246)."""
CHECKED = "no-cache"
"""For what may change at any moment: kept, but asked about before each use (RFC 9111, 5.2.2.4)."""
_OTHER = "application/octet-stream"
TYPES = {
    "": "text/plain",  # SHA256SUMS
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/json",
    ".sig": "text/plain",
    ".wsl": _OTHER,
    ".xml": "application/xml",
    ".zst": _OTHER,
}
"""Media types by the end of the name; nothing on the way may unpack an image."""


def content_type(path: str) -> str:
    """The media type of the file `path` of a catalog."""
    return TYPES.get(PurePosixPath(path).suffix, _OTHER)


def cache_control(path: str) -> str:
    """The Cache-Control of the file `path` of a catalog (RFC 9111)."""
    return FOREVER if path.startswith(IMAGES) else CHECKED
