"""Which of two versions is newer."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\d+|[a-z]+|~")
_BEFORE = frozenset(("~", "alpha", "beta", "dev", "pre", "preview", "rc"))
_EARLY, _END, _WORD, _NUMBER = -1, 0, 1, 2
VersionKey = tuple[tuple[int, int, str], ...]


def version_key(version: str) -> VersionKey:
    """A key that sorts versions from old to new: 1.9 < 1.10-rc1 < 1.10 < 1.10.1 < 2026.11.

    Numbers count as numbers, and a word such as "rc" stands before the version without it. Versions that
    differ in nothing else are ordered as text, so that the order is total.
    """
    return (*map(_rank, _TOKEN.findall(version.lower())), (_END, 0, ""), (_END, 0, version))


def _rank(token: str) -> tuple[int, int, str]:
    if token.isdigit():
        return (_NUMBER, int(token), "")
    return (_EARLY if token in _BEFORE else _WORD, 0, token)
