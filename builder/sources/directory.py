"""A root file system in a folder of this machine.

    source:
      directory: build/rootfs              # relative to the recipe

Owners, modes, attributes and hard links are taken as found: a folder that an ordinary user unpacked belongs
to that user in the image too, so build as root what root unpacked. Sockets are left out. The folder is copied
into the cache when it is resolved, so that later changes do not disturb the build.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.model.entry import Entry, Kind
from builder.model.lock import ArchitectureLock, DirectorySource, UnfoldedTar
from builder.sources.oci.base import check_present, newest, read_facts
from builder.sources.oci.flatten import Tree
from builder.sources.oci.rootfs import find_root
from builder.sources.oci.scan import scan_tar
from builder.sources.source import (
    SourceKind,
    SourceModel,
    StepRequest,
    Supply,
    no_operations,
    no_surroundings,
)
from builder.tar.format import BLOCK
from builder.tar.write import END_OF_ARCHIVE, write_members

_FORMAT = "directory-1"
_PIECE = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHAR,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
}


class Directory(SourceModel):
    """A root file system in a folder."""

    short_form: ClassVar[str] = "path"

    path: Path = Field(description="the folder, relative to the recipe")

    @property
    def title(self) -> str:
        """The folder's name."""
        return f"directory {self.path}"


def resolve_directory(
    source: Directory,
    _architecture: str,
    _requests: tuple[StepRequest, ...],
    supply: Supply,
    _versions: Mapping[str, str] = {},
) -> ArchitectureLock:
    """What the folder holds now, a copy of which is then among the blobs. Raises ResolveError."""
    folder = supply.folder / source.path
    digest, size = supply.blobs.collect(archive_folder(folder))
    locked = DirectorySource(tar=UnfoldedTar(sha256=digest, size=size))
    tree = _grow(locked, supply.blobs)
    find_root({entry.path for entry in tree.entries()}, "", str(folder))
    return ArchitectureLock(time=newest(tree.entries()), facts=read_facts(tree), source=locked)


def fetch_directory(source: Directory, lock: ArchitectureLock, supply: Supply) -> None:
    """Have the copy that `lock` names among the blobs. Raises ResolveError where the folder has changed."""
    locked = lock.source
    assert isinstance(locked, DirectorySource)
    if not supply.blobs.has(locked.tar.sha256, locked.tar.size):
        folder = supply.folder / source.path
        supply.blobs.collect(archive_folder(folder))
        check_present([locked.tar], supply.blobs, str(folder))


def directory_inputs(locked: DirectorySource, architecture: str) -> tuple[str, ...]:
    """What the key of the base digests."""
    return _FORMAT, f"architecture {architecture}", f"tar {locked.tar.sha256}"


def directory_entries(locked: DirectorySource, _architecture: str, blobs: Blobs) -> Iterator[Entry]:
    """The folder as it was copied; `fetch_directory` comes first."""
    return _grow(locked, blobs).entries()


def describe_directory(locked: DirectorySource) -> str:
    """Its size and digest."""
    return f"folder of {locked.tar.size / 1e6:.0f} MB, sha256 {locked.tar.sha256[:12]}"


DIRECTORY = SourceKind(
    model=Directory,
    locked=DirectorySource,
    resolve=resolve_directory,
    fetch=fetch_directory,
    inputs=directory_inputs,
    entries=directory_entries,
    operations=no_operations,
    surround=no_surroundings,
    describe=describe_directory,
)


def archive_folder(folder: Path) -> Iterator[bytes]:
    """The tar archive of what is below `folder`: equal folders give equal bytes. Raises ResolveError for what
    cannot be read or changes meanwhile."""
    try:
        for member in write_members(_read_folder(folder), lambda _entry: None):
            yield member.headers
            for span in member.spans:
                yield from _read_file(span.entry)
            yield bytes(-member.length % BLOCK)
    except OSError as error:
        where = os.fsdecode(error.filename) if error.filename else str(folder)
        fix = "run as root to read a folder of root's files" if error.errno == errno.EACCES else ""
        raise ResolveError(f"cannot be read: {error.strerror}", where=where, fix=fix) from None
    yield END_OF_ARCHIVE


def _grow(locked: DirectorySource, blobs: Blobs) -> Tree:
    tree = Tree()
    tree.apply(scan_tar(blobs.path(locked.tar.sha256), locked.tar.sha256, "the folder"), "the folder")
    return tree


def _read_folder(folder: Path) -> Iterator[Entry]:
    """Everything below `folder`, sorted, parents first. Sockets are left out: no archive holds them."""
    top, firsts = os.fsencode(folder), dict[tuple[int, int], bytes]()
    stack = [_scan(top)]
    while stack:
        for item in stack[-1]:
            status = item.stat(follow_symlinks=False)
            kind = _KINDS.get(stat.S_IFMT(status.st_mode))
            if kind is None:
                continue
            path = item.path[len(top) + 1 :]
            first = firsts.setdefault((status.st_dev, status.st_ino), path)
            if first != path and kind is not Kind.DIRECTORY:
                yield _entry(path, Kind.HARDLINK, status)._replace(target=first)
                continue
            yield _describe(item.path, _entry(path, kind, status), status)
            if kind is Kind.DIRECTORY:
                stack.append(_scan(item.path))
                break
        else:
            stack.pop()


def _scan(folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    with os.scandir(folder) as items:
        return iter(sorted(items, key=attrgetter("name")))


def _entry(path: bytes, kind: Kind, status: os.stat_result) -> Entry:
    mode, mtime = status.st_mode & 0o7777, status.st_mtime_ns // 1_000_000_000
    return Entry(path, kind, mode, status.st_uid, status.st_gid, mtime)


def _describe(place: bytes, entry: Entry, status: os.stat_result) -> Entry:
    """`entry`, which is the file at `place`, with what its status does not hold."""
    names = (os.fsencode(name) for name in os.listxattr(place, follow_symlinks=False))
    xattrs = tuple(sorted((name, os.getxattr(place, name, follow_symlinks=False)) for name in names))
    match entry.kind:
        case Kind.FILE:
            opener = partial(os.open, place, _FLAGS) if status.st_size else None
            return entry._replace(xattrs=xattrs, size=status.st_size, open=opener)
        case Kind.SYMLINK:
            return entry._replace(xattrs=xattrs, target=os.readlink(place))
        case Kind.CHAR | Kind.BLOCK:
            return entry._replace(xattrs=xattrs, device=(os.major(status.st_rdev), os.minor(status.st_rdev)))
        case _:
            return entry._replace(xattrs=xattrs)


def _read_file(entry: Entry) -> Iterator[bytes]:
    """The content of `entry`, which is as long as it was when it was listed."""
    assert entry.open is not None, "an empty file has no span"
    with open(entry.open(), "rb", buffering=0) as file:
        left = entry.size
        while left and (piece := file.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece
        if left or file.read(1):
            raise ResolveError("changed while it was read", where=os.fsdecode(entry.path), fix="build again")
