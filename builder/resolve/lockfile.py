"""`NAME.lock` beside the recipe: read strictly, written so that a diff of it can be read."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from builder.core.digests import sha256_json
from builder.core.errors import ResolveError
from builder.core.files import write_atomic
from builder.model.lock import Lock
from builder.recipe import Recipe


def lock_path(recipe: Path) -> Path:
    """Where the lock of `recipe` lies."""
    return recipe.with_suffix(".lock")


def read_lock(path: Path) -> Lock:
    """The lock in `path`; raises ResolveError when it is missing or not a lock."""
    try:
        return Lock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ResolveError(
            "there is no lock", where=str(path), fix="make one with `wslimg lock RECIPE`"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ResolveError(
            f"is not a lock that this version reads: {place}: {first['msg']}",
            where=str(path),
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


def digest_inputs(recipe: Recipe) -> dict[str, str]:
    """Digests of the parts of `recipe` that resolving reads: its source, and what steps ask for."""
    packages = {
        f"steps[{index}].packages": sha256_json(step.packages.model_dump(mode="json"))
        for index, step in enumerate(recipe.steps)
        if step.packages is not None
    }
    return {"source": sha256_json(recipe.source.model_dump(mode="json")), **packages}
