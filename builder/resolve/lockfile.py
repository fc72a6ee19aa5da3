"""`NAME.lock` beside the recipe: read strictly, written so that a diff of it can be read."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from builder.core.errors import ResolveError
from builder.core.files import write_atomic
from builder.model.lock import ArchitectureLock, Lock
from builder.recipe import Recipe
from builder.resolve.stale import digest_inputs


class MissingLockError(ResolveError):
    """There is no lock file at all."""


def lock_path(recipe: Path) -> Path:
    """Where the lock of `recipe` lies."""
    return recipe.with_suffix(".lock")


def read_lock(path: Path) -> Lock:
    """The lock in `path`; raises ResolveError when it is missing, cannot be read or is not a lock."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingLockError(
            "there is no lock", where=str(path), fix="make one with `wslimg lock RECIPE`"
        ) from None
    except OSError as error:
        raise ResolveError(
            f"cannot be read: {error.strerror}", where=str(path), fix="move it out of the way"
        ) from None
    return decode_lock(data, where=str(path))


def decode_lock(data: bytes, *, where: str) -> Lock:
    """The lock that `data` encodes. Raises ResolveError naming `where` and the first thing that is wrong."""
    try:
        return Lock.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ResolveError(
            f"is not a lock that this version reads: {place}: {first['msg']}",
            where=where,
            fix="make it anew with `wslimg lock RECIPE`",
        ) from None


def encode_lock(lock: Lock) -> bytes:
    """The bytes of the lock file: sorted keys, one value a line."""
    data = lock.model_dump(mode="json", by_alias=True)
    return json.dumps(data, indent=1, sort_keys=True).encode("ascii") + b"\n"


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the lock at `path`; one that would not change is not touched."""
    data = encode_lock(lock)
    if not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data)


def merge_lock(recipe: Recipe, architecture: str, resolved: ArchitectureLock, old: Lock | None) -> Lock:
    """`resolved` beside what `old` holds for other architectures, if `old` is about the same recipe."""
    inputs = digest_inputs(recipe)
    others = old.architectures if old is not None and old.inputs == inputs else {}
    return Lock(inputs=inputs, architectures={**others, architecture: resolved})
