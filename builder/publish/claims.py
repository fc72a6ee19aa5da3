"""Exclusion on targets that know no conditions: all it takes is a listing that shows what was written before.

Whoever wants to be alone writes a file of its own into one folder, then lists the folder. Of two who do so
at once, the one that wrote later sees the other's file; who is not alone withdraws, and tries again later.
A file that is listed but not there yet, or no more, does not count: whoever is writing it will list later.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from builder.publish.target import BusyError, ConflictError, MissingError, Target

_FOLDER = ".guard/"
_ATTEMPTS = 60
_STALE = 900.0


def is_claim(path: str) -> bool:
    """Whether the file `path` serves exclusion; no listing of a catalog has it."""
    return _FOLDER in path


@contextmanager
def claimed(target: Target, path: str) -> Iterator[float]:
    """Be alone in changing `path` during the block, which is given the time by the target's clock. A claim
    older than 15 minutes was left by a process that died. Raises BusyError."""
    mine = f"{path}{_FOLDER}{secrets.token_hex(8)}"
    try:
        yield _claim(target, path, mine)
    finally:
        target.delete(mine)


def put_claimed(target: Target, path: str, data: bytes, if_match: str) -> None:
    """Write `data` as `path` if what is there has the tag `if_match` ("": if nothing is), while nobody else
    has a claim. Raises ConflictError, BusyError."""
    with claimed(target, path):
        found = target.stat(path)
        if (found.tag if found else "") != if_match:
            raise ConflictError("was written by somebody else meanwhile", where=f"{target.place}/{path}")
        target.put_bytes(path, data)


@contextmanager
def locked(target: Target, path: str) -> Iterator[None]:
    """Hold the lock file `path` during the block, as `Target.lock` says; one older than 15 minutes is
    taken."""
    mine = secrets.token_hex(8).encode()
    with claimed(target, path) as now:
        found = target.stat(path)
        if found and now - found.modified < _STALE:
            raise BusyError(
                "somebody holds the lock",
                where=f"{target.place}/{path}",
                fix="try again when that is done; what a dead process left is taken after 15 minutes",
            )
        target.put_bytes(path, mine)
    try:
        yield
    finally:
        if _read(target, path) == mine:
            target.delete(path)


def _claim(target: Target, path: str, mine: str) -> float:
    """Write `mine` so that it is the only claim of `path`, and return when that was."""
    for attempt in range(_ATTEMPTS):
        target.put_bytes(mine, mine.encode())
        claims = {one: target.stat(one) for one in target.list(f"{path}{_FOLDER}")}
        found = {one: info.modified for one, info in claims.items() if info}
        if found.keys() == {mine}:
            return found[mine]
        target.delete(mine)
        _break_stale(target, found, found.get(mine, 0.0))
        time.sleep((0.02 + 0.01 * attempt) * secrets.randbelow(1000) / 250)
    raise BusyError(
        "somebody is changing it", where=f"{target.place}/{path}", fix="try again when that is done"
    )


def _break_stale(target: Target, claims: dict[str, float], now: float) -> None:
    for claim, modified in claims.items():
        if now - modified >= _STALE:
            target.delete(claim)


def _read(target: Target, path: str) -> bytes:
    try:
        return target.get(path)
    except MissingError:
        return b""
