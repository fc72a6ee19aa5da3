"""Relations between packages: `a (>= 1) | b:any, c` (Debian Policy 7.1)."""

from __future__ import annotations

import re
from typing import NamedTuple

from builder.sources.debian.version import satisfies

_RELATION = re.compile(
    r"\s*(?P<name>[^\s:(\[<]+)(?::(?P<qualifier>[^\s(\[<]+))?\s*(?:\(\s*(?P<operator>[<>=]+)\s*(?P<version>[^\s)]+)\s*\))?"
)


class Relation(NamedTuple):
    """One alternative. `operator` and `version` are empty where any version will do; `qualifier` is an
    architecture, "any" or empty."""

    name: str
    qualifier: str = ""
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        qualifier = f":{self.qualifier}" if self.qualifier else ""
        return f"{self.name}{qualifier}" + (f" ({self.operator} {self.version})" if self.operator else "")

    def accepts(self, version: str) -> bool:
        """Whether `version` of the package itself will do."""
        return not self.operator or satisfies(version, self.operator, self.version)

    def accepts_provided(self, version: str) -> bool:
        """Whether a package that provides the name in `version` ("": unversioned) will do (Policy 7.5)."""
        return not self.operator or (version != "" and satisfies(version, self.operator, self.version))


Group = tuple[Relation, ...]


def parse_relations(text: str) -> tuple[Group, ...]:
    """The comma-separated groups of `text`; the members of a group are alternatives, best first."""
    return tuple(
        tuple(_parse_relation(alternative) for alternative in group.split("|"))
        for group in text.split(",")
        if group.strip()
    )


def _parse_relation(text: str) -> Relation:
    match = _RELATION.match(text)
    if match is None:
        return Relation(text.strip())
    name, qualifier, operator, version = match.group("name", "qualifier", "operator", "version")
    return Relation(name, qualifier or "", operator or "", version or "")
