"""The order of package versions (Debian Policy 5.6.12, deb-version(7))."""

from __future__ import annotations

import re
from functools import lru_cache

_PAIR = re.compile(r"(\D*)(\d*)")

VersionKey = tuple[int, ...]


@lru_cache(maxsize=1 << 16)
def version_key(version: str) -> VersionKey:
    """A key that sorts as dpkg sorts versions; equal versions ("1" and "0:1-0") have equal keys."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return (int(epoch) if epoch.isdigit() else 0, *_part_key(upstream), *_part_key(revision))


def satisfies(version: str, operator: str, bound: str) -> bool:
    """Whether `version` stands in the relation `operator` (<<, <=, =, >=, >>) to `bound`."""
    left, right = version_key(version), version_key(bound)
    match operator:
        case "<<":
            return left < right
        case "<=" | "<":
            return left <= right
        case "=":
            return left == right
        case ">=" | ">":
            return left >= right
        case ">>":
            return left > right
        case _:
            return False


def _part_key(text: str) -> VersionKey:
    """Alternating runs: each run of non-digits as weights ended by 0, each run of digits as its number.

    The end weighs 0, "~" less and everything else more, so that keys of different length never tie
    by accident: the first difference is always one between positions of the same meaning.
    """
    key: list[int] = []
    for other, digits in _PAIR.findall(text)[: -1 if text else None]:
        key.extend(_weight(character) for character in other)
        key.extend((0, int(digits or 0)))
    return (*key, 0)


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
