"""Layers for tests: tar archives from short descriptions, and trees as plain lists."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

from builder.model.entry import Entry, Kind
from builder.sources.oci.flatten import Tree
from builder.sources.oci.scan import scan_tar

FORMAT = tarfile.PAX_FORMAT


def folder(name: str, mode: int = 0o755, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.DIRTYPE, b"", mode=mode, **fields)


def file(name: str, data: bytes = b"", mode: int = 0o644, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.REGTYPE, data, mode=mode, **fields)


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.LNKTYPE, b"", linkname=target)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.SYMTYPE, b"", linkname=target, mode=0o777)


def _member(name: str, kind: bytes, data: bytes, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mtime = kind, len(data), 1_700_000_000
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def make_tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def grow(where: Path, *layers: Iterable[tuple[tarfile.TarInfo, bytes]]) -> Tree:
    tree = Tree()
    for number, members in enumerate(layers):
        path = where / f"{number}.tar"
        path.write_bytes(make_tar(members))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        tree.apply(scan_tar(path, digest, f"layer {number}"), f"layer {number}")
    return tree


def content(entry: Entry) -> bytes:
    if entry.open is None:
        return b""
    descriptor = entry.open()
    with os.fdopen(descriptor, "rb") as opened:
        return opened.read(entry.size)


def listing(tree: Tree) -> dict[str, str | bytes]:
    """Path -> what it is: content, or `/` for directories, `-> TARGET`, `= FIRST NAME`."""
    shown: dict[str, str | bytes] = {}
    for entry in tree.entries():
        what: str | bytes = {
            Kind.DIRECTORY: "/",
            Kind.SYMLINK: f"-> {entry.target.decode()}",
            Kind.HARDLINK: f"= {entry.target.decode()}",
        }.get(entry.kind, "")
        shown[entry.path.decode()] = what or content(entry)
    return shown
