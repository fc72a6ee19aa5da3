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
_SPECIAL = re.compile(r"[\\\[^&~|]")
_WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _translate(token: str) -> str:
    if token in _WILDCARDS:
        return _WILDCARDS[token]
    if len(token) == 1:
        return re.escape(token)
    return _translate_set(token[1:-1])


def _translate_set(members: str) -> str:
    """What is between brackets, but never `/`; a range that ends before it begins matches nothing."""
    negated = members.startswith("!")
    escaped = _SPECIAL.sub(r"\\\g<0>", members.removeprefix("!")).replace("--", r"\--")
    expression = f"(?!/)[{'^' if negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error:
        return "(?!)"
    return expression
