"""WWW-Authenticate: what a registry asks for before it answers (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of the grammar, not of an account
_ITEM = re.compile(
    rf'\s*(?P<name>{_TOKEN})\s*(?:=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>{_TOKEN})))?\s*,?'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """One way to log in: the `scheme` in lower case, and its parameters, sorted, names in lower case."""

    scheme: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """The parameter `name`; empty if there is none."""
        return dict(self.parameters).get(name, "")


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of a header, in its order; what is not understood ends them."""
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while match := _ITEM.match(header, at):
        at = match.end()
        value = match["quoted"] if match["quoted"] is not None else match["bare"]
        if value is None:
            found.append((match["name"].lower(), {}))
        elif found:
            found[-1][1].setdefault(match["name"].lower(), re.sub(r"\\(.)", r"\1", value))
    return tuple(
        Challenge(scheme=scheme, parameters=tuple(sorted(values.items()))) for scheme, values in found
    )
