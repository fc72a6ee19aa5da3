"""`wslimg cache`: where it is, what it holds, and making room."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.core.errors import ExecuteError
from builder.core.places import cache_folder
from builder.execute.disk import lock_folder
from builder.execute.docker.address import find_address
from builder.execute.store import Store, list_usage
from builder.pack.cache import Kept, delete_kept, list_kept
from builder.sandbox.userns import enter_user_namespace

if TYPE_CHECKING:
    from builder.execute.docker.connect import EngineClient

_SEGMENTS = "segments"
_STEP_CACHES = "caches"
# Folders of files that are made or downloaded again.
_FOLDERS = (
    ("downloads", "blobs"),
    ("segments", _SEGMENTS),
    ("digests", "files"),
    ("step caches", _STEP_CACHES),
    ("plans", "plans"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CachePart:
    """One part of the cache: `count` items that take `size` bytes. `place` is the address of the engine that
    keeps it, empty for the folder of the cache."""

    name: str
    count: int
    size: int
    place: str = ""

    def as_dict(self) -> dict[str, str | int]:
        """Plain data for JSON."""
        return asdict(self)


def locate_cache() -> Path:
    """The folder of this user's cache."""
    return cache_folder()


def measure_cache(cache: Path) -> list[CachePart]:
    """What `cache` holds, part by part."""
    uses = list_usage(cache)
    layers = CachePart(name="layers", count=len(uses), size=sum(use.record.size for use in uses))
    return [layers, *(_measure(name, cache / folder) for name, folder in _FOLDERS)]


def prune_cache(cache: Path, limit: int) -> int:
    """Delete the longest unused until all takes at most `limit` bytes: first downloads and the like, then
    layers, which cost the most to make. Returns the bytes freed. What running builds use stays."""
    excess = max(0, sum(part.size for part in measure_cache(cache)) - limit)
    if not (cache / "layers").is_dir():
        return _prune_files(cache, excess)  # no build has come as far as layers
    enter_user_namespace()  # layers and caches of steps belong to the image's users
    freed = _prune_files(cache, excess)
    with closing(Store(cache)) as store:
        layers = sum(use.record.size for use in store.usage())
        return freed + store.prune(max(0, layers - max(0, excess - freed)))


def measure_engine() -> list[CachePart]:
    """What the container engine keeps of builds, part by part; empty where there is no engine. Raises
    UsageError, ExecuteError where there is one that does not answer."""
    address = find_address()
    if address is None:
        return []
    from builder.execute.docker.kept import list_kept  # the package takes long to load

    with _connected() as client:
        return [
            CachePart(name=each.kind, count=len(each.names), size=each.size, place=address.url)
            for each in list_kept(client)
        ]


def prune_engine(cache: Path, limit: int) -> int:
    """Have the engine delete all that it keeps of builds if that takes more than `limit` bytes: it does not
    say what was used when. Returns the bytes freed. Raises UsageError, ExecuteError, also while a build with
    the same `cache` or a command runs there."""
    if find_address() is None:
        return 0
    from builder.execute.docker.kept import list_kept, remove_kept

    with _alone(cache / "docker"), _connected() as client:
        kept = list_kept(client)
        size = sum(each.size for each in kept)
        if limit == 0 or size > limit:
            remove_kept(client, kept)
        return size - sum(each.size for each in list_kept(client))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Have no build use the engine until the block ends, as each holds `folder`. Raises ExecuteError."""
    folder.mkdir(parents=True, exist_ok=True)
    held = lock_folder(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if held is None:
        raise ExecuteError("a build is using it", where=str(folder), fix="wait for its end")
    try:
        yield
    finally:
        os.close(held)


@contextmanager
def _connected() -> Iterator[EngineClient]:
    from builder.execute.docker.connect import connect

    with closing(connect()) as client:
        yield client


def _measure(name: str, folder: Path) -> CachePart:
    kept = list(_list(folder))
    return CachePart(name=name, count=len(kept), size=sum(each.size for each in kept))


def _list(folder: Path) -> Iterable[Kept]:
    return list_kept(folder) if folder.name == _SEGMENTS else _files(folder)


def _files(folder: Path) -> Iterator[Kept]:
    """Each file below `folder`, with its size on disk. What vanishes meanwhile is left out."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            with suppress(OSError):
                status = path.lstat()
                if not stat.S_ISDIR(status.st_mode):
                    yield Kept(status.st_mtime_ns, path, status.st_blocks * 512)


def _prune_files(cache: Path, excess: int) -> int:
    segments, freed = cache / _SEGMENTS, 0
    with ExitStack() as locks:
        for each in sorted(_list_unused(cache, locks)):
            if freed >= excess:
                break
            try:
                freed += delete_kept(each.path) if each.path.parent == segments else _delete(each)
            except OSError as error:
                raise ExecuteError(
                    f"cannot be deleted: {error.strerror}",
                    where=str(each.path),
                    fix="prune as the user whose builds have filled the cache",
                ) from None
    return freed


def _list_unused(cache: Path, locks: ExitStack) -> Iterator[Kept]:
    """All but the step caches that a build has; `locks` keep builds from the others."""
    for _, folder in _FOLDERS:
        if folder != _STEP_CACHES:
            yield from _list(cache / folder)
    for each in sorted((cache / _STEP_CACHES).glob("*")):
        held = lock_folder(each, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if held is not None:
            locks.callback(os.close, held)
            yield from _files(each)


def _delete(file: Kept) -> int:
    try:
        file.path.unlink()
    except FileNotFoundError:
        return 0
    return file.size
