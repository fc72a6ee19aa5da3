"""Why packages cannot be installed, in words."""

from __future__ import annotations

from builder.core.errors import ResolveError
from builder.core.suggestions import closest
from builder.sources.debian.index import Candidate, Universe
from builder.sources.debian.relations import Group, Relation
from builder.sources.debian.selection import Conflict


def several_providers(name: str, providers: list[Candidate]) -> ResolveError:
    """`name` is no package but what each of `providers` provides."""
    fix = f"name one of {', '.join(provider.name for provider in providers)}"
    return ResolveError(f"{name} is provided by several packages", where=name, fix=fix)


def unknown_package(universe: Universe, relation: Relation) -> ResolveError:
    """Nothing in the archive is, or provides, what was asked for."""
    name = relation.name
    if versions := [found.version for found in universe.candidates(name)]:
        return ResolveError(
            f"there is no version {relation.version} of {name}; the archive has {', '.join(versions)}",
            where=name,
            fix="ask for one of these, or resolve against a snapshot of the archive",
        )
    close = _similar(name, universe)
    fix = f"did you mean {' or '.join(close)}?" if close else "check the name, the suite and its components"
    return ResolveError(f"there is no package {name} in the archive", where=name, fix=fix)


def unsatisfiable(
    universe: Universe, chosen: dict[str, Candidate], owner: Candidate, group: Group, chain: str
) -> ResolveError:
    """No alternative of `group`, on which `owner` depends, can be chosen."""
    offered = [found for relation in group for found in universe.candidates(relation.name)]
    present = [chosen[relation.name] for relation in group if relation.name in chosen]
    there = f"the archive has {_show(offered)}" if offered else "the archive has none"
    if present:
        there = f"{_show(present)} is chosen already"
    return ResolveError(
        f"{owner.name} {owner.version} depends on {' | '.join(map(str, group))}, but {there}",
        where=chain,
        fix="the suites do not fit together, a component is missing, or the mirror is being updated",
    )


def conflicting(candidate: Candidate, conflict: Conflict, chain: str, other_chain: str) -> ResolveError:
    """`candidate` is needed, but what was chosen before excludes it."""
    other, relation = conflict
    return ResolveError(
        f"{candidate.name} {candidate.version} cannot be together with {other.name} {other.version} "
        f"({relation} is excluded), which is wanted by {other_chain or 'the tree below'}",
        where=chain,
        fix=f"leave out {candidate.name} or {other.name}, or name the alternative that you want",
    )


def _similar(name: str, universe: Universe) -> list[str]:
    """Up to three names like `name`. Only those that begin alike are compared, as there are 70,000."""
    near = [other for other in universe.names() if other[:1] == name[:1] and abs(len(other) - len(name)) < 3]
    return closest(name, near, 3)


def _show(candidates: list[Candidate]) -> str:
    return ", ".join(dict.fromkeys(f"{each.name} {each.version}" for each in candidates))
