"""The inventory: every entry and package of an image, for reports, diffs and the auditor."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import zstandard

from builder.inspect.packages import DPKG_STATUS, read_dpkg_status
from builder.model.entry import Entry, Kind
from builder.model.manifest import Inventory, InventoryEntry, InventoryPackage

_KIND_NAMES = {
    Kind.FILE: "file",
    Kind.HARDLINK: "hardlink",
    Kind.SYMLINK: "symlink",
    Kind.CHAR: "char",
    Kind.BLOCK: "block",
    Kind.DIRECTORY: "directory",
    Kind.FIFO: "fifo",
}
_CAPABILITY = b"security.capability"


def take_inventory(
    entries: Sequence[Entry], digests: Mapping[bytes, str], *, image_sha256: str, time: int
) -> Inventory:
    """The inventory of the tree `entries`; `digests` maps paths of files to SHA-256, `time` clamps."""
    return Inventory(
        image_sha256=image_sha256,
        packages=_packages(entries),
        entries=tuple(_describe(entry, digests, time) for entry in entries),
    )


def encode_inventory(inventory: Inventory) -> bytes:
    """JSON in one zstd frame, the same bytes for the same inventory and zstd version."""
    text = inventory.model_dump_json(by_alias=True, exclude_defaults=False)
    return zstandard.ZstdCompressor(level=3).compress(text.encode("utf-8"))


def decode_inventory(data: bytes) -> Inventory:
    """The inverse of `encode_inventory`; raises pydantic.ValidationError or zstandard.ZstdError."""
    return Inventory.model_validate_json(zstandard.ZstdDecompressor().decompressobj().decompress(data))


def _packages(entries: Sequence[Entry]) -> tuple[InventoryPackage, ...]:
    for entry in entries:
        if entry.path == DPKG_STATUS:
            return read_dpkg_status(_read(entry))
    return ()


def _read(entry: Entry) -> bytes:
    if entry.open is None:
        return b""
    with os.fdopen(entry.open(), "rb") as file:
        return file.read(entry.size)


def _describe(entry: Entry, digests: Mapping[bytes, str], time: int) -> InventoryEntry:
    attributes = dict(entry.xattrs)
    return InventoryEntry.model_construct(
        path=_text(entry.path),
        kind=_KIND_NAMES[entry.kind],
        mode=f"{entry.mode:04o}",
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        mtime=min(entry.mtime, time),
        target=_text(entry.target),
        sha256=digests.get(entry.path, ""),
        capabilities=attributes.get(_CAPABILITY, b"").hex(),
    )


def _text(path: bytes) -> str:
    """`path` as text that survives JSON: bytes that are not UTF-8 become backslash escapes."""
    return path.decode("utf-8", "backslashreplace")
