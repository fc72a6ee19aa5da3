"""`.dockerignore`: which paths of a context stay behind.

The rules are those of moby/patternmatcher (ignorefile/ignorefile.go, patternmatcher.go): the last pattern
that matches a path, or a folder that it lies in, decides; `!` lets in again. As in Docker, a pattern is
relative to the context even without a slash: `*.log` is about its top alone, `**/*.log` about all of it.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from builder.core.errors import ResolveError

_TOKENS = re.compile(r"\*\*/?|\*|\?|\[\^?[^\]]*\]|\\.|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Rule:
    """`ignores` says what becomes of paths that match."""

    expression: re.Pattern[str]
    ignores: bool


class IgnoreRules:
    """The rules of one file; none at all let everything in."""

    def __init__(self, text: str = "", where: str = "") -> None:
        lines = enumerate(text.removeprefix("\ufeff").splitlines(), 1)
        rules = (_read_line(line, f"{where}:{number}") for number, line in lines)
        self._rules = tuple(rule for rule in rules if rule is not None)

    @property
    def lets_in_again(self) -> bool:
        """Whether something in an ignored folder may be wanted nevertheless."""
        return any(not rule.ignores for rule in self._rules)

    def ignores(self, path: str) -> bool:
        """Whether `path`, relative to the context, stays behind."""
        parts = path.split("/")
        ways = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        for rule in reversed(self._rules):
            if any(rule.expression.fullmatch(way) for way in ways):
                return rule.ignores
        return False


def _read_line(line: str, where: str) -> _Rule | None:
    if line.startswith("#") or not (text := line.strip()):
        return None
    ignores = not text.startswith("!")
    pattern = text if ignores else text[1:].strip()
    if not pattern:
        raise ResolveError("has a ! without a pattern", where=where)
    # Cleaned as Go's filepath.Clean does, which keeps no second leading slash.
    pattern = posixpath.normpath(re.sub("^//+", "/", pattern)).removeprefix("/")
    return _Rule(_compile(pattern, where), ignores)


def _compile(pattern: str, where: str) -> re.Pattern[str]:
    tokens = _TOKENS.findall(pattern)
    try:
        return re.compile("".join(_translate(part, part is tokens[-1]) for part in tokens), re.DOTALL)
    except re.error as error:
        raise ResolveError(f"has {pattern!r}, which is no pattern: {error}", where=where) from None


def _translate(part: str, last: bool) -> str:
    """One part as a regular expression; `**` stands for any number of folders, and at the end for all."""
    if part in ("**", "**/"):
        return ".*" if last else "(?:.*/)?"
    if part in ("*", "?"):
        return "[^/]*" if part == "*" else "[^/]"
    if len(part) > 1 and part.startswith("["):
        return part.replace("[[", r"[\[")
    return re.escape(part[1:] if len(part) > 1 else part)
