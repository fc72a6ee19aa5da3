"""Path patterns: the wildcards of fnmatch, where `*` and `?` stop at `/` and `**` does not."""

from __future__ import annotations

import functools
import re


@functools.cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression whose `fullmatch` decides. `/a/**` matches what is below `/a`, not `/a` itself;
    `/**/a` matches `/a` too. A `[` without its `]` stands for itself."""
    return re.compile("".join(_translate(token) for token in _TOKENS.findall(pattern)), re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Whether `path` matches `pattern`; both absolute."""
    return compile_pattern(pattern).fullmatch(path) is not None


_TOKENS = re.compile(r"\*\*/|\*\*|\[!?\]?[^\]/]*\]|.", re.DOTALL)
_WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _translate(token: str) -> str:
    if token in _WILDCARDS:
        return _WILDCARDS[token]
    if len(token) == 1:
        return re.escape(token)
    negated = token.startswith("[!")
    members = token[2 if negated else 1 : -1].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
    return f"[{'^/' if negated else ''}{members}]"
