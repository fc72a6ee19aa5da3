"""Exclusion where a target knows no conditions."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from builder.publish import claims
from builder.publish.claims import claimed, is_claim, locked, put_claimed
from builder.publish.directory import DirectoryTarget
from builder.publish.target import BusyError, ConflictError

OLD = 1000.0


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryTarget:
    monkeypatch.setattr(claims, "_ATTEMPTS", 3)
    return DirectoryTarget(tmp_path)


def write(target: DirectoryTarget, path: str, *, age: float = 0.0) -> None:
    target.put_bytes(path, b"another's")
    os.utime(f"{target.place}/{path}", (time.time() - age,) * 2)


def test_a_claim_lasts_as_long_as_its_block(target: DirectoryTarget) -> None:
    with claimed(target, "x") as now:
        assert abs(now - time.time()) < 60
        (claim,) = target.list("x.guard/")
        assert is_claim(claim)
    assert target.list("") == ()


def test_who_is_not_alone_withdraws_and_says_so(target: DirectoryTarget) -> None:
    write(target, "x.guard/other")
    with pytest.raises(BusyError, match="x: somebody is changing it") as caught:
        put_claimed(target, "x", b"mine", "")
    assert "try again" in caught.value.fix
    assert target.list("") == ("x.guard/other",)


def test_the_claim_of_a_dead_process_is_taken(target: DirectoryTarget) -> None:
    write(target, "x.guard/dead", age=OLD)
    put_claimed(target, "x", b"mine", "")
    assert target.get("x") == b"mine" and target.list("") == ("x",)


def test_a_condition_that_does_not_hold_changes_nothing(target: DirectoryTarget) -> None:
    write(target, "x")
    for tag in ("", "another"):
        with pytest.raises(ConflictError, match="somebody else"):
            put_claimed(target, "x", b"mine", tag)
    assert target.get("x") == b"another's" and target.list("") == ("x",)


def test_a_lock_is_taken_from_the_dead_only(target: DirectoryTarget) -> None:
    write(target, "x.lock")
    with pytest.raises(BusyError, match=r"x\.lock: somebody holds the lock"), locked(target, "x.lock"):
        pass
    write(target, "x.lock", age=OLD)
    with locked(target, "x.lock"):
        assert target.get("x.lock") != b"another's"
    assert target.list("") == ()


def test_a_lock_that_somebody_took_is_left_to_them(target: DirectoryTarget) -> None:
    with locked(target, "x.lock"):
        write(target, "x.lock")
    assert target.get("x.lock") == b"another's"
