"""How much a base starts with: the names are those that mmdebstrap and debootstrap use."""

from __future__ import annotations

from enum import Enum

from builder.sources.debian.index import Candidate, Universe


class Variant(Enum):
    """`apt`: essential packages and apt; `minbase`: also priority required; `important`: also important."""

    APT = "apt"
    MINBASE = "minbase"
    IMPORTANT = "important"


_PRIORITIES = {
    Variant.APT: frozenset[str](),
    Variant.MINBASE: frozenset({"required"}),
    Variant.IMPORTANT: frozenset({"required", "important"}),
}


def seeds(variant: Variant, universe: Universe) -> tuple[str, ...]:
    """The packages that `variant` asks for, sorted; what they depend on comes with them."""

    def wanted(candidate: Candidate) -> bool:
        return candidate.essential or candidate.priority in _PRIORITIES[variant]

    return tuple(sorted({"apt", *(each.name for each in universe.important() if wanted(each))}))
