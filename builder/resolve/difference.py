"""What differs between two locks, for people who review a change."""

from __future__ import annotations

from collections.abc import Iterator

from builder.model.lock import ArchitectureLock, Package


def describe_difference(old: ArchitectureLock | None, new: ArchitectureLock) -> list[str]:
    """One line a package that came (`+`), went (`-`) or changed (`~`), sorted by name; empty if none did."""
    before, after = _packages(old), _packages(new)
    return [
        _describe(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _packages(lock: ArchitectureLock | None) -> dict[str, Package]:
    return {} if lock is None else {package.name: package for package in list_packages(lock)}


def list_packages(lock: ArchitectureLock) -> Iterator[Package]:
    """Every package of `lock`: the base's, then those of each step."""
    yield from lock.source.packages
    for step in lock.steps:
        yield from step.packages


def _describe(name: str, old: Package | None, new: Package | None) -> str:
    if old is None:
        assert new is not None
        return f"+ {name} {new.version}"
    if new is None:
        return f"- {name} {old.version}"
    if old.version == new.version:
        return f"~ {name} {new.version} (rebuilt under the same version)"
    return f"~ {name} {old.version} -> {new.version}"
