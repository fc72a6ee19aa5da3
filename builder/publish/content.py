"""What servers say about the files of a catalog: their type, and for how long they may be kept."""

from __future__ import annotations

from pathlib import PurePosixPath

from builder.publish.layout import IMAGES

FOREVER = "public, max-age=31536000, immutable"
"""For what never changes under its name (RFC 8246)."""
CHECKED = "no-cache"
"""For what may change at any moment: kept, but asked about before each use (RFC 9111, 5.2.2.4)."""
_TYPES = {".json": "application/json", ".sig": "text/plain", ".html": "text/html; charset=utf-8"}
_OTHER = "application/octet-stream"


def content_type(path: str) -> str:
    """The media type of the file `path` of a catalog; one without another is that of images, which nothing
    on the way may unpack."""
    return _TYPES.get(PurePosixPath(path).suffix, _OTHER)


def cache_control(path: str) -> str:
    """The Cache-Control of the file `path` of a catalog (RFC 9111)."""
    return FOREVER if path.startswith(IMAGES) else CHECKED
