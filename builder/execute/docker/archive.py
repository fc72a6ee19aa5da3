"""What an engine loads as an image: layers, a configuration and a manifest in one tar archive.

Sources: moby image/tarexport/load.go, and image-spec config.md for the configuration.
"""

from __future__ import annotations

import json
import os
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping

from builder.core.blobs import Blobs
from builder.core.digests import sha256_bytes
from builder.model.entry import Entry, Kind
from builder.model.lock import UnfoldedTar
from builder.sources.oci.unfold import read_pieces
from builder.tar.format import BLOCK
from builder.tar.header import pack_headers
from builder.tar.write import END_OF_ARCHIVE, write_members

_LONGEST_NAME = 255
_PIECE = 1 << 20


def pack_layer(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The tar archive of `entries`; what is newer than now is as old as now."""
    now = int(time.time())
    for entry in entries:
        yield from _pack(entry._replace(mtime=min(entry.mtime, now)))
    yield END_OF_ARCHIVE


def _pack(entry: Entry) -> Iterator[bytes]:
    if len(os.path.basename(entry.path)) > _LONGEST_NAME:  # a whiteout, which becomes no file of this name
        info = tarfile.TarInfo(os.fsdecode(entry.path))
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        return
    for member in write_members((entry,), lambda _entry: None):
        yield member.headers
        for span in member.spans:
            yield from read_entry(span.entry)
        yield bytes(-member.length % BLOCK)


def describe_image(tars: Iterable[UnfoldedTar], labels: Mapping[str, str], architecture: str) -> bytes:
    """The configuration of an image of these layers."""
    layers = [f"sha256:{tar.sha256}" for tar in tars]
    created = "1970-01-01T00:00:00Z"
    document = {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": {"Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": layers},
        "history": [{"created": created, "created_by": "wslimg"} for _ in layers],
    }
    return json.dumps(document).encode()


def pack_image(
    config: bytes, tag: str, tars: tuple[UnfoldedTar, ...], shipped: Iterable[UnfoldedTar], blobs: Blobs
) -> Iterator[bytes]:
    """The archive to load. `shipped` are those of its layers `tars` that the engine does not have yet."""
    name = f"{sha256_bytes(config)}.json"
    layers = [_layer_name(tar) for tar in tars]
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": layers}]).encode()
    for path, data in ((name, config), ("manifest.json", manifest)):
        yield _header(path, len(data)) + data + bytes(-len(data) % BLOCK)
    for tar in dict.fromkeys(shipped):
        yield _header(_layer_name(tar), tar.size)
        yield from read_pieces(blobs.path(tar.sha256))
        yield bytes(-tar.size % BLOCK)
    yield END_OF_ARCHIVE


def _layer_name(tar: UnfoldedTar) -> str:
    return f"{tar.sha256}/layer.tar"


def _header(path: str, size: int) -> bytes:
    return pack_headers(Entry(path.encode(), Kind.FILE, 0o644, size=size))


def read_entry(entry: Entry) -> Iterator[bytes]:
    """The content of `entry`, which has some."""
    assert entry.open is not None, entry.path
    left = entry.size
    with open(entry.open(), "rb", buffering=0) as file:
        while left:
            piece = file.read(min(left, _PIECE))
            if not piece:
                raise OSError(5, f"{os.fsdecode(entry.path)} ends {left} bytes early")
            left -= len(piece)
            yield piece
