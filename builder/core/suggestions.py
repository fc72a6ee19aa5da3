"""What somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` where one of `known` resembles `found`, else nothing."""
    words = {word.lower(): word for word in sorted(known)}
    close = closest(found.lower(), words, 1)
    return f'; did you mean "{words[close[0]]}"?' if close else ""


def closest(found: str, known: Iterable[str], count: int) -> list[str]:
    """At most `count` of `known` that resemble `found`: first those of the very same letters, swapped."""
    words = sorted(known)
    letters = sorted(found)
    swapped = [word for word in words if len(word) == len(found) and sorted(word) == letters]
    close = difflib.get_close_matches(found, words, n=count, cutoff=0.6)
    return [*swapped, *(word for word in close if word not in swapped)][:count]
