"""Images in files: an OCI layout, as a folder or a tar archive, and what `docker save` writes.

Sources: image-spec image-layout.md; moby image/tarexport (manifest.json of `docker save`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from builder.core.blobs import Blobs
from builder.core.digests import sha256_bytes, sha256_file
from builder.core.errors import ResolveError
from builder.model.entry import Entry, Kind
from builder.sources.oci.config import parse_configuration
from builder.sources.oci.manifest import MAX_DOCUMENT, Descriptor, Index, Manifest, parse_document
from builder.sources.oci.scan import normalise, scan_tar
from builder.sources.oci.unfold import unfold_file, verified

_PIECE = 1 << 20


class Files(Protocol):
    """Named files: those of a folder or of an archive."""

    @property
    def where(self) -> str:
        """What messages call them."""

    def open(self, name: str) -> tuple[int, int] | None:
        """A descriptor at the first byte of `name`, owned by the caller, and its size; None if not there."""


@dataclass(frozen=True, kw_only=True)
class FolderFiles:
    """The files of a folder; names lead nowhere else."""

    folder: Path
    where: str

    def open(self, name: str) -> tuple[int, int] | None:
        """See `Files`."""
        try:
            descriptor = os.open(self.folder / normalise(name.encode()).decode(), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ResolveError(f"cannot be read: {error.strerror}", where=f"{self.where}/{name}") from None
        return descriptor, os.fstat(descriptor).st_size


@dataclass(frozen=True, kw_only=True)
class ArchiveFiles:
    """The files of an unfolded archive; links between them are followed."""

    entries: Mapping[bytes, Entry] = field(repr=False)
    where: str

    def open(self, name: str) -> tuple[int, int] | None:
        """See `Files`."""
        entry = self.entries.get(normalise(name.encode()))
        for _ in range(8):
            if entry is None or entry.kind is Kind.FILE:
                break
            base = b"" if entry.kind is Kind.HARDLINK else os.path.dirname(entry.path) + b"/"
            entry = self.entries.get(normalise(base + entry.target))
        if entry is None or entry.open is None:
            return None
        return entry.open(), entry.size


@dataclass(frozen=True, kw_only=True)
class Layout:
    """An OCI layout: blobs by digest, and an index of what it holds."""

    files: Files

    def where(self, wanted: str) -> str:
        """The file and what of it, for messages."""
        return f"{self.files.where} ({wanted})" if wanted else self.files.where

    def manifest(self, wanted: str) -> bytes:
        """The document with the digest `wanted`, verified."""
        data = read_small(self.files, f"blobs/sha256/{wanted.removeprefix('sha256:')}")
        if data is None or f"sha256:{sha256_bytes(data)}" != wanted:
            found = "is not in it" if data is None else "has another content in it"
            raise ResolveError(f"{wanted} {found}", where=self.files.where, fix="make the file anew")
        return data

    def blob(self, descriptor: Descriptor) -> Generator[bytes, None, None]:
        """The content of a blob, verified at its end."""
        chunks = _pieces(self.files, f"blobs/sha256/{descriptor.digest}")
        return verified(chunks, descriptor, self.where(f"sha256:{descriptor.digest}"))

    def index(self, name: str) -> Index | None:
        """The images it holds under `name`; all of them without one, if they share one name. None if this is
        no layout."""
        data = read_small(self.files, "index.json")
        if data is None:
            return None
        found = parse_document(data, self.files.where)
        if isinstance(found, Manifest):
            raise ResolveError("has a manifest as its index.json, expected an index", where=self.files.where)
        return _select(found, name, self.files.where)


@dataclass(frozen=True, kw_only=True)
class Saved:
    """One image in the format of `docker save`, whose layers are known by what they unfold to."""

    files: Files
    config: Descriptor
    layers: Mapping[str, str]

    def where(self, wanted: str) -> str:
        """The file and what of it, for messages."""
        return f"{self.files.where} ({self.layers.get(wanted.removeprefix('sha256:'), wanted)})"

    def manifest(self, wanted: str) -> bytes:
        """There is none with a digest."""
        raise ResolveError(f"{wanted} is not in it", where=self.files.where)

    def blob(self, descriptor: Descriptor) -> Generator[bytes, None, None]:
        """The configuration, verified, or a layer, which its diff id verifies."""
        name = self.layers.get(descriptor.digest)
        if name is not None:
            return _pieces(self.files, name)
        config = self.config
        return verified(_pieces(self.files, config.media_type), config, self.files.where)


def open_files(path: Path, where: str, blobs: Blobs) -> Files:
    """The files in the folder or archive (compressed or not) `path`. Raises ResolveError."""
    if path.is_dir():
        return FolderFiles(folder=path, where=where)
    try:
        tar = unfold_file(path, sha256_file(path), blobs)
    except OSError as error:
        raise ResolveError(f"cannot be read: {error.strerror}", where=where) from None
    entries = scan_tar(blobs.path(tar.sha256), tar.sha256, where)
    return ArchiveFiles(entries={entry.path: entry for entry in entries}, where=where)


def read_small(files: Files, name: str) -> bytes | None:
    """The content of a document; None if it is not there. Raises ResolveError if it is too large for one."""
    opened = files.open(name)
    if opened is None:
        return None
    with open(opened[0], "rb") as file:
        if opened[1] > MAX_DOCUMENT:
            raise ResolveError(f"{name} has more than {MAX_DOCUMENT} bytes", where=files.where)
        return file.read(opened[1])


def read_saved(files: Files, name: str) -> tuple[Saved, Manifest] | None:
    """The image that `docker save` wrote under `name`; None if these are other files."""
    data = read_small(files, "manifest.json")
    if data is None:
        return None
    item = _choose_saved(data, name, files.where)
    config = read_small(files, str(item["Config"]))
    if config is None:
        raise ResolveError(f"lacks {item['Config']}", where=files.where, fix="save the image anew")
    diff_ids = parse_configuration(config, files.where).diff_ids
    names = tuple(map(str, item["Layers"]))
    if len(names) != len(diff_ids):
        raise ResolveError(
            f"has {len(names)} layers, its configuration names {len(diff_ids)}", where=files.where
        )
    described = Descriptor(digest=sha256_bytes(config), size=len(config), media_type=str(item["Config"]))
    layers = tuple(
        Descriptor(digest=each, size=_size(files, file)) for each, file in zip(diff_ids, names, strict=True)
    )
    saved = Saved(files=files, config=described, layers=dict(zip(diff_ids, names, strict=True)))
    return saved, Manifest(config=described, layers=layers)


def _choose_saved(data: bytes, name: str, where: str) -> dict[str, Any]:
    try:
        items = [item for item in json.loads(data) if item["Config"] and isinstance(item["Layers"], list)]
        named = {tag: item for item in items for tag in item.get("RepoTags") or ()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ResolveError("has a manifest.json that `docker save` did not write", where=where) from None
    fitting = [item for tag, item in named.items() if _is_called(tag, name)] if name else items
    if len(fitting) != 1:
        raise _ambiguous(len(fitting), name, list(named), where)
    return dict(fitting[0])


def _select(index: Index, name: str, where: str) -> Index:
    names = {choice.name for choice in index.choices}
    if name:
        chosen = tuple(choice for choice in index.choices if _is_called(choice.name, name))
        names = {choice.name for choice in chosen}
    else:
        chosen = index.choices
    if len(names) != 1:
        raise _ambiguous(len(names), name, [choice.name for choice in index.choices], where)
    return Index(choices=chosen)


def _is_called(tag: str, name: str) -> bool:
    """`name` may be the whole name, its end after a slash, or the tag alone."""
    return tag == name or tag.endswith((f"/{name}", f":{name}"))


def _ambiguous(count: int, name: str, known: list[str], where: str) -> ResolveError:
    listed = ", ".join(sorted({each or "an image without a name" for each in known})) or "nothing"
    what = f"{count} images called {name}" if name else f"{count} images"
    return ResolveError(
        f"holds {what}, expected one; it has {listed}", where=where, fix="choose one with `name`"
    )


def _size(files: Files, name: str) -> int:
    opened = files.open(name)
    if opened is None:
        raise ResolveError(f"lacks {name}", where=files.where, fix="save the image anew")
    os.close(opened[0])
    return opened[1]


def _pieces(files: Files, name: str) -> Generator[bytes, None, None]:
    opened = files.open(name)
    if opened is None:
        raise ResolveError(f"lacks {name}", where=files.where, fix="make the file anew")
    descriptor, left = opened
    with open(descriptor, "rb", buffering=0) as file:
        while left and (piece := file.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece
