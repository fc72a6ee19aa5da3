"""What somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` where one of `known` resembles `found`, else nothing."""
    words = {word.lower(): word for word in sorted(known)}
    close = difflib.get_close_matches(found.lower(), list(words), n=1, cutoff=0.6)
    return f'; did you mean "{words[close[0]]}"?' if close else ""
