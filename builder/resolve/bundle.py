"""Bundles: everything a build downloads, in one file. A plain tar archive of `lock`, then `blobs/DIGEST`.

The same lock gives the same bytes. Nothing in a bundle is trusted: each blob is its digest or refused.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import BaseModel

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.core.events import Progress, Sink
from builder.core.files import atomic_file
from builder.model.lock import ArchitectureLock, Lock
from builder.resolve.lockfile import decode_lock, encode_lock

_LOCK = "lock"
_LOCK_LIMIT = 64 << 20
_CHUNK = 1 << 20
_FIX = "copy the bundle again, or make it anew with `wslimg fetch`"


class LockedFile(NamedTuple):
    """A file that a lock names; `size` is in bytes, `title` for people."""

    digest: str
    size: int
    title: str


def list_files(part: object) -> Iterator[LockedFile]:
    """Every file that a lock, or a part of one, names: whatever there has both a digest and a size."""
    if isinstance(part, BaseModel):
        values = dict(part)
        if "sha256" in values and "size" in values:
            title = " ".join(str(values[key]) for key in ("name", "version") if key in values)
            yield LockedFile(values["sha256"], values["size"], title or values["sha256"])
        part = tuple(values.values())
    if isinstance(part, tuple):
        for each in part:
            yield from list_files(each)


def write_bundle(path: Path, lock: Lock, blobs: Blobs, sink: Sink) -> int:
    """Write the bundle of `lock`, whose files are all among `blobs`; returns its size in bytes.

    The file appears when it is whole. Raises OSError.
    """
    files = _unique(each for locked in lock.architectures.values() for each in list_files(locked))
    total, done = sum(each.size for each in files), 0
    with atomic_file(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        data = encode_lock(lock)
        tar.addfile(_member(_LOCK, len(data)), io.BytesIO(data))
        for each in files:
            with blobs.path(each.digest).open("rb") as blob:
                tar.addfile(_member(_blob_name(each), each.size), blob)
            done += each.size
            sink(Progress(label="bundle", done=done, total=total, unit="B"))
    return path.stat().st_size


def read_bundle_lock(path: Path) -> Lock:
    """The lock that the bundle `path` begins with. Raises ResolveError."""
    with _opened(path) as tar:
        first = tar.next()
        if first is None or first.name != _LOCK or not first.isfile() or first.size > _LOCK_LIMIT:
            raise ResolveError("is not a bundle: it does not begin with a lock", where=str(path), fix=_FIX)
        where = f"{path}: {_LOCK}"
        return decode_lock(_content(tar, first, where).read(), where=where)


def unpack_bundle(path: Path, lock: ArchitectureLock, blobs: Blobs, sink: Sink) -> None:
    """Have every file of `lock` among `blobs`, from the bundle `path` alone. Raises ResolveError."""
    files = _unique(list_files(lock))
    with _opened(path) as tar:
        members = {member.name: member for member in tar}
        if missing := [each for each in files if _blob_name(each) not in members]:
            raise _incomplete(path, missing)
        total, done = sum(each.size for each in files), 0
        for each in files:
            if not blobs.has(each.digest, each.size):
                _add(blobs, each, tar, members[_blob_name(each)], path)
            done += each.size
            sink(Progress(label="bundle", done=done, total=total, unit="B"))


def _add(blobs: Blobs, each: LockedFile, tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    where = f"{path}: {member.name} ({each.title})"
    file = _content(tar, member, where)
    try:
        blobs.add(each.digest, each.size, iter(lambda: file.read(_CHUNK), b""), where=where)
    except ResolveError as error:
        raise ResolveError(error.message, where=where, fix=_FIX) from error


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, mode="r:") as tar:
            yield tar
    except FileNotFoundError:
        raise ResolveError(
            "there is no such bundle", where=str(path), fix="make it with `wslimg fetch`"
        ) from None
    except tarfile.TarError as error:
        raise ResolveError(
            f"is not a bundle, or not all of one: {error}", where=str(path), fix=_FIX
        ) from None


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:
        raise ResolveError("is not a file", where=where, fix=_FIX)
    return file


def _incomplete(path: Path, missing: list[LockedFile]) -> ResolveError:
    names = ", ".join(each.title for each in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return ResolveError(f"lacks {names}{more}", where=str(path), fix=_FIX)


def _unique(files: Iterable[LockedFile]) -> list[LockedFile]:
    """In the order of their digests; what several parts share is there once."""
    return list({each.digest: each for each in sorted(files)}.values())


def _blob_name(file: LockedFile) -> str:
    return f"blobs/{file.digest}"


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A member that carries nothing of who made it, and when."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member
