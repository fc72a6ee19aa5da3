"""A root file system that is there already, in a tar archive of any compression.

    source:
      archive: rootfs.tar.xz               # relative to the recipe

    source:
      archive:
        url: https://example.org/rootfs.tar.zst
        sha256: 9f86d0...                  # without it the lock pins what was downloaded
        root: rootfs                       # the folder in it that is the root; found without

An existing `.wsl` is such an archive, and so is what `docker export` writes: what that engine puts into
every container (/.dockerenv, emptied /etc/hosts and the like) is left out. The output of `docker save` is an
image: `image: {archive: FILE}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from builder.core.blobs import Blobs
from builder.core.digests import sha256_file
from builder.core.errors import ResolveError
from builder.core.http import Http, without_login
from builder.core.meter import Meter
from builder.model.entry import Entry
from builder.model.fields import Line, matching
from builder.model.lock import ArchitectureLock, ArchiveSource, UnfoldedTar
from builder.sources.oci.base import check_present, newest, read_facts
from builder.sources.oci.flatten import Tree
from builder.sources.oci.rootfs import find_root, take_root
from builder.sources.oci.scan import scan_tar
from builder.sources.oci.unfold import recall, remember, unfold, unfold_file
from builder.sources.source import (
    SourceKind,
    SourceModel,
    StepRequest,
    Supply,
    no_operations,
    no_surroundings,
)

_FORMAT = "archive-1"
_SHA256 = matching(r"[0-9a-f]{64}", "64 lower-case hex digits")
_URL = matching(r"https?://\S+", "an http or https address")


class Archive(SourceModel):
    """A root file system in a tar archive."""

    short_form: ClassVar[str] = "path"

    path: Path | None = Field(default=None, description="the file, relative to the recipe")
    url: Annotated[str, _URL] | None = Field(default=None, description="where to download it from")
    sha256: Annotated[str, _SHA256] | None = Field(default=None, description="of the file as it is")
    root: Line | None = Field(default=None, description="the folder in it that is the root")

    @field_validator("path")
    @classmethod
    def _check_path(cls, value: Path | None) -> Path | None:
        if value is not None and str(value).startswith(("http:/", "https:/")):
            raise ValueError(f"{value} is an address, expected a file; write `url` with it")
        return value

    @model_validator(mode="after")
    def _check_one_place(self) -> Archive:
        if (self.path is None) == (self.url is None):
            raise ValueError("needs either path or url")
        return self

    @property
    def title(self) -> str:
        """The file's name."""
        return f"archive {self.path or without_login(self.url or '')}"

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """The archive, if it is on this machine."""
        return () if self.path is None else (("path", self.path),)


def resolve_archive(
    source: Archive,
    _architecture: str,
    _requests: tuple[StepRequest, ...],
    supply: Supply,
    _versions: Mapping[str, str] = {},
) -> ArchitectureLock:
    """What the archive is now; what it unfolds to is then among the blobs. Raises ResolveError."""
    digest, tar = _obtain(source, source.sha256 or "", supply)
    where = _where(source, supply)
    entries = list(scan_tar(supply.blobs.path(tar.sha256), tar.sha256, where, whole=True))
    root = find_root({entry.path for entry in entries}, source.root or "", where)
    tree = _grow(entries, root, where)
    return ArchitectureLock(
        time=newest(tree.entries()),
        facts=read_facts(tree),
        source=ArchiveSource(sha256=digest, tar=tar, root=root),
    )


def fetch_archive(source: Archive, lock: ArchitectureLock, supply: Supply) -> None:
    """Have what `lock` names among the blobs. Raises ResolveError."""
    locked = lock.source
    assert isinstance(locked, ArchiveSource)
    if not supply.blobs.has(locked.tar.sha256, locked.tar.size):
        _obtain(source, locked.sha256, supply)
        check_present([locked.tar], supply.blobs, _where(source, supply))


def archive_inputs(locked: ArchiveSource, architecture: str) -> tuple[str, ...]:
    """What the key of the base digests: the archive as it unfolds, and where its root is."""
    return _FORMAT, f"architecture {architecture}", f"tar {locked.tar.sha256}", f"root {locked.root}"


def archive_entries(locked: ArchiveSource, _architecture: str, blobs: Blobs) -> Iterator[Entry]:
    """The root file system; `fetch_archive` comes first. Raises ResolveError."""
    where = f"archive {locked.sha256[:12]}"
    entries = scan_tar(blobs.path(locked.tar.sha256), locked.tar.sha256, where)
    return _grow(list(entries), locked.root, where).entries()


def describe_archive(locked: ArchiveSource) -> str:
    """Its size and digest."""
    return f"archive of {locked.tar.size / 1e6:.0f} MB, sha256 {locked.sha256[:12]}"


ARCHIVE = SourceKind(
    model=Archive,
    locked=ArchiveSource,
    resolve=resolve_archive,
    fetch=fetch_archive,
    inputs=archive_inputs,
    entries=archive_entries,
    operations=no_operations,
    surround=no_surroundings,
    describe=describe_archive,
)


def _where(source: Archive, supply: Supply) -> str:
    return without_login(source.url) if source.url else str(supply.folder / (source.path or ""))


def _grow(entries: list[Entry], root: str, where: str) -> Tree:
    """The tree below `root`. A name that looks like a whiteout is left out: it is one that was missed."""
    tree = Tree()
    tree.apply(take_root(entries, root), where)
    return tree


def _obtain(source: Archive, digest: str, supply: Supply) -> tuple[str, UnfoldedTar]:
    """The digest of the file, which is `digest` unless that is empty, and what it unfolds to."""
    if digest and (known := recall(digest, supply.blobs)) is not None:
        return digest, known
    if source.url is not None:
        return _download(source.url, digest, supply)
    path = supply.folder / (source.path or "")
    try:
        found = sha256_file(path)
        _check_digest(found, digest, str(path))
        return found, unfold_file(path, found, supply.blobs)
    except OSError as error:
        raise ResolveError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _download(url: str, digest: str, supply: Supply) -> tuple[str, UnfoldedTar]:
    """Unfold the file at `url` while it is read; nothing is kept of one with another digest."""
    where, hashed = without_login(url), sha256()
    meter = Meter("archive", 0, supply.sink)

    def verified() -> Iterator[bytes]:
        with closing((supply.http or Http()).chunks(url)) as chunks:
            for chunk in chunks:
                hashed.update(chunk)
                meter.add(len(chunk))
                yield chunk
        _check_digest(hashed.hexdigest(), digest, where)

    with closing(unfold(verified(), where)) as pieces:
        stored = supply.blobs.collect(pieces)
    found = hashed.hexdigest()
    return found, remember(found, stored, supply.blobs)


def _check_digest(found: str, expected: str, where: str) -> None:
    if expected not in ("", found):
        raise ResolveError(
            f"has the sha256 {found}, expected {expected}",
            where=where,
            fix="if the change is meant, correct `sha256`, and make the lock anew with `wslimg lock RECIPE`",
        )
