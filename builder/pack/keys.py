"""The names of what the segment cache holds: 32 bytes, digests of all that decides a segment's bytes."""

from __future__ import annotations

import struct
from hashlib import sha256

from builder import __version__
from builder.core.digests import canonical_json
from builder.pack.compress import Compressor
from builder.pack.segments import Segment
from builder.pack.settings import PackSettings

LAYOUT = 1
"""To be raised whenever the same entries give other archive bytes or other cuts than before."""

_LENGTHS = struct.Struct("<cQQQ").pack


def layer_key(segment: Segment, compressor: Compressor) -> bytes | None:
    """The key of a segment by where its content lies in layers that never change; None if some does not.

    Nothing is read for it, and no time or inode is trusted.
    """
    told = [b"layer\0", compressor.name.encode(), b"\0"]
    for part in segment.parts:
        if isinstance(part, bytes):
            told += (_LENGTHS(b"b", len(part), 0, 0), part)
            continue
        entry, offset, length = part
        if entry.identity is None:
            return None
        layer, path = entry.identity
        told += (_LENGTHS(b"s", len(layer) + 1 + len(path), offset, length), layer.encode(), b"\0", path)
    return sha256(b"".join(told)).digest()


def content_key(data: memoryview, compressor: Compressor) -> bytes:
    """The key of a segment by its bytes."""
    return sha256(b"content\0" + compressor.name.encode() + b"\0" + sha256(data).digest()).digest()


def tree_key(settings: PackSettings, compressor: Compressor) -> str:
    """The key of a whole image as 64 hex digits, for `settings` with a `tree_key`."""
    inputs = [__version__, LAYOUT, settings.tree_key, settings.time, settings.tar_digest, compressor.name]
    return sha256(canonical_json(inputs)).hexdigest()
