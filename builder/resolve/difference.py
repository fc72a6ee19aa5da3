"""What differs between two locks, for people who review a change."""

from __future__ import annotations

from collections.abc import Sequence

from builder.model.lock import (
    ArchitectureLock,
    ArchiveSource,
    DirectorySource,
    LockedImage,
    Package,
)

_SHOWN = 5


def describe_difference(old: ArchitectureLock | None, new: ArchitectureLock) -> list[str]:
    """One line a package that came (`+`), went (`-`) or changed (`~`), sorted by name, after one for a base
    that is no set of packages; empty if nothing differs."""
    before, after = _packages(old), _packages(new)
    return _describe_base(old, new) + [
        _describe(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def shorten_difference(lines: Sequence[str]) -> list[str]:
    """The lines of `describe_difference`, or the first of them and how many more of each kind there are."""
    if len(lines) <= _SHOWN:
        return list(lines)
    kinds = (("+", "new"), ("-", "gone"), ("~", "changed"))
    rest = [line[0] for line in lines[_SHOWN - 1 :]]
    more = [f"{rest.count(sign)} {word}" for sign, word in kinds if sign in rest]
    return [*lines[: _SHOWN - 1], f"and {len(rest)} more: {', '.join(more)}"]


def _packages(lock: ArchitectureLock | None) -> dict[str, Package]:
    return {} if lock is None else {package.name: package for package in lock.packages}


def _describe_base(old: ArchitectureLock | None, new: ArchitectureLock) -> list[str]:
    before, after = "" if old is None else _name_base(old), _name_base(new)
    if before == after:
        return []
    if before and after:
        return [f"~ {before} -> {after}"]
    return [f"+ {after}"] if after else [f"- {before}"]


def _name_base(lock: ArchitectureLock) -> str:
    """What the base is by its digest; empty where it consists of packages."""
    match lock.source:
        case LockedImage():
            return f"{lock.source.reference} (sha256:{lock.source.manifest})"
        case ArchiveSource():
            return f"archive (sha256:{lock.source.sha256})"
        case DirectorySource():
            return f"directory (sha256:{lock.source.tar.sha256})"
        case _:
            return ""


def _describe(name: str, old: Package | None, new: Package | None) -> str:
    if old is None:
        assert new is not None
        return f"+ {name} {new.version}"
    if new is None:
        return f"- {name} {old.version}"
    if old.version == new.version:
        return f"~ {name} {new.version} (another file under the same version)"
    return f"~ {name} {old.version} -> {new.version}"
