"""Suites as they are now: signed release files and the package indexes that these vouch for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pysequoia import Cert

from builder.core.errors import ResolveError
from builder.core.events import Note
from builder.core.http import NotFoundError
from builder.core.threads import thread_pool
from builder.model.lock import Index, Release
from builder.sources.debian.archive import Archives
from builder.sources.debian.index import PackageIndex, decompress_index
from builder.sources.debian.release import IndexFile, ReleaseFile, check_time, parse_release
from builder.sources.debian.signature import verify_clear_signed

_RELEASE_LIMIT = 8 << 20
_WARN_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Whose signatures count, and how current a release file must be at `now` (epoch seconds)."""

    keyring: Sequence[Cert]
    now: int
    expired_ok: bool


@dataclass(frozen=True, kw_only=True)
class LoadedSuite:
    """One suite of one archive: what a lock says of it, and its packages."""

    release: Release
    indexes: tuple[Index, ...]
    packages: tuple[PackageIndex, ...]


def load_suites(
    archives: Archives,
    suites: tuple[tuple[str, str], ...],
    components: tuple[str, ...],
    architecture: str,
    trust: Trust,
) -> tuple[LoadedSuite, ...]:
    """The (archive, suite) pairs `suites`, in their order. Raises ResolveError naming file and reason."""

    def load(pair: tuple[str, str]) -> LoadedSuite:
        return _load_suite(archives, *pair, components, architecture, trust)

    with thread_pool(len(suites), "suite") as pool:
        return tuple(pool.map(load, suites))


def _load_suite(
    archives: Archives, archive: str, suite: str, components: tuple[str, ...], architecture: str, trust: Trust
) -> LoadedSuite:
    path = f"dists/{suite}/InRelease"
    where = archives.where(archive, path)
    release = _read_release(archives, archive, path, where, trust)
    files = [release.index(component, architecture, where=where) for component in components]
    texts = [_read_index(archives, archive, f"dists/{suite}", file, release) for file in files]
    return LoadedSuite(
        release=Release(archive=archive, suite=suite, date=release.date),
        indexes=tuple(
            Index(archive=archive, suite=suite, path=file.path, sha256=file.sha256) for file in files
        ),
        packages=tuple(PackageIndex(text, archive=archive, architecture=architecture) for text in texts),
    )


def _read_release(archives: Archives, archive: str, path: str, where: str, trust: Trust) -> ReleaseFile:
    try:
        data = archives.read(archive, path, limit=_RELEASE_LIMIT)
    except NotFoundError as error:
        raise _no_suite(path, error) from error
    verified = verify_clear_signed(data, trust.keyring, where=where)
    release = parse_release(verified.text, where=where)
    check_time(release, trust.now, where=where, expired_ok=trust.expired_ok)
    if verified.expires and (verified.expires - datetime.fromtimestamp(trust.now, UTC)).days < _WARN_DAYS:
        message = f"{where}: the last key that signs it expires on {verified.expires:%Y-%m-%d}; update wslimg"
        archives.sink(Note(message=message, level="warning"))
    return release


def _read_index(
    archives: Archives, archive: str, folder: str, file: IndexFile, release: ReleaseFile
) -> bytes:
    """The text of an index. It is kept beside what was downloaded: unfolding xz takes half a second."""
    text = release.uncompressed(file)
    kept = archives.blobs.read(text.sha256, text.size) if text else None
    if kept is not None:
        return kept
    data = decompress_index(_download_index(archives, archive, folder, file, release).read_bytes(), file.path)
    if text and text != file:
        archives.blobs.add(text.sha256, text.size, (data,), where=archives.where(archive, file.path))
    return data


def _download_index(
    archives: Archives, archive: str, folder: str, file: IndexFile, release: ReleaseFile
) -> Path:
    """The index as the mirror has it. Names by digest stay while a mirror changes under the reader."""
    component = file.path.rpartition("/")[0]
    hashed = f"{folder}/{component}/by-hash/SHA256/{file.sha256}"
    try:
        return _store(archives, archive, hashed if release.by_hash else f"{folder}/{file.path}", file)
    except NotFoundError:
        return _store(archives, archive, f"{folder}/{file.path}", file)


def _store(archives: Archives, archive: str, path: str, file: IndexFile) -> Path:
    return archives.store(archive, path, digest=file.sha256, size=file.size)


def _no_suite(path: str, error: NotFoundError) -> ResolveError:
    suite = path.split("/")[1]
    beside = suite.rpartition("-")[2]
    fix = "check the name of the suite, or choose another mirror"
    if beside in ("updates", "security"):
        fix += f"; a distribution without this one wants `{beside}: false`"
    return ResolveError(f"the archive has no suite {suite}", where=error.where, fix=fix)
