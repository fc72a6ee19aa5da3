"""What installing a set of packages brings with it, decided as apt decides it.

Everything that was asked for is chosen first, so that a virtual dependency finds it (mawk is required,
so nothing pulls in gawk). Then dependencies with one possible answer are followed before those with
several. Nothing is ever removed and no choice is taken back: a conflict is an error that names both sides.
"""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from builder.core.errors import ResolveError
from builder.sources.debian.index import Candidate, Universe
from builder.sources.debian.relations import Group, Relation


def solve(
    universe: Universe,
    names: Iterable[str],
    *,
    installed: Iterable[Candidate] = (),
    versions: Mapping[str, str] | None = None,
    recommends: bool = False,
    architecture: str,
) -> tuple[Candidate, ...]:
    """What must be added to `installed` so that `names` are there and consistent, sorted by name.

    `versions` pins names to exact versions. Raises ResolveError naming package and chain of reasons.
    """
    solution = _Solution(universe, architecture, versions or {}, installed)
    present = frozenset(solution.chosen)
    for name in names:
        solution.request(name)
    solution.close()
    if recommends:
        solution.follow_recommends()
    return tuple(solution.chosen[name] for name in sorted(solution.chosen.keys() - present))


class _Solution:
    """The packages chosen so far, always free of conflicts, and the dependencies still to be looked at."""

    def __init__(
        self,
        universe: Universe,
        architecture: str,
        versions: Mapping[str, str],
        installed: Iterable[Candidate],
    ) -> None:
        self.universe = universe
        self.architecture = architecture
        self.versions = versions
        self.chosen: dict[str, Candidate] = {}
        self.reasons: dict[str, tuple[str, Relation | None]] = {}
        self.added: list[Candidate] = []
        self._provided: dict[str, list[tuple[Candidate, Relation]]] = {}
        self._rejected: dict[str, list[tuple[Candidate, Relation]]] = {}
        self._open: deque[tuple[Candidate, Group]] = deque()
        for candidate in installed:
            self._enter(candidate)

    def request(self, name: str) -> None:
        """Choose the package `name`, or the only one that provides it."""
        relation = Relation(name, "", "=" if name in self.versions else "", self.versions.get(name, ""))
        if self._satisfied(relation):
            return
        options = list(self._options(relation))
        if not options or (options[0].name != name and len(options) > 1):
            raise self._unknown(relation, options)
        self._choose(options[0], "", None, strict=True)

    def close(self) -> None:
        """Follow the dependencies of everything that was chosen until all hold."""
        unclear: deque[tuple[Candidate, Group]] = deque()
        while self._open or unclear:
            forced = bool(self._open)
            owner, group = self._open.popleft() if forced else unclear.popleft()
            if any(map(self._satisfied, group)):
                continue
            options = self._group_options(group)
            if forced and len(options) > 1:
                unclear.append((owner, group))
            else:
                self._choose_one(owner, group, options)

    def follow_recommends(self) -> None:
        """Add what the added packages recommend, and what those recommend, as far as it can be installed."""
        position = 0
        while position < len(self.added):
            owner = self.added[position]
            for group in owner.recommends:
                if not any(map(self._satisfied, group)):
                    self._try(owner, group)
            position += 1

    def _try(self, owner: Candidate, group: Group) -> None:
        before = (self.chosen.copy(), self.reasons.copy(), self.added.copy())
        indexes = (
            {k: v.copy() for k, v in self._provided.items()},
            {k: v.copy() for k, v in self._rejected.items()},
        )
        try:
            self._choose_one(owner, group, self._group_options(group))
            self.close()
        except ResolveError:
            self.chosen, self.reasons, self.added = before
            self._provided, self._rejected = indexes
            self._open.clear()

    def _choose_one(self, owner: Candidate, group: Group, options: list[tuple[Relation, Candidate]]) -> None:
        for relation, candidate in options:
            if self._conflict(candidate) is None:
                return self._choose(candidate, owner.name, relation, strict=False)
        if options:
            relation, candidate = options[0]
            return self._choose(candidate, owner.name, relation, strict=True)
        raise self._unsatisfiable(owner, group)

    def _choose(self, candidate: Candidate, owner: str, relation: Relation | None, *, strict: bool) -> None:
        self.reasons.setdefault(candidate.name, (owner, relation))
        if strict and (problem := self._conflict(candidate)):
            raise self._conflicting(candidate, *problem)
        self._enter(candidate)
        self.added.append(candidate)
        self._open.extend((candidate, group) for group in candidate.depends)

    def _enter(self, candidate: Candidate) -> None:
        self.chosen[candidate.name] = candidate
        for provided in candidate.provides:
            self._provided.setdefault(provided.name, []).append((candidate, provided))
        for relation in candidate.conflicts:
            self._rejected.setdefault(relation.name, []).append((candidate, relation))

    def _satisfied(self, relation: Relation) -> bool:
        if not self._native(relation):
            return False
        chosen = self.chosen.get(relation.name)
        if chosen is not None and relation.accepts(chosen.version):
            return True
        return any(
            relation.accepts_provided(provided.version)
            for _, provided in self._provided.get(relation.name, ())
        )

    def _group_options(self, group: Group) -> list[tuple[Relation, Candidate]]:
        return [(relation, candidate) for relation in group for candidate in self._options(relation)]

    def _options(self, relation: Relation) -> Iterator[Candidate]:
        """What could satisfy `relation`: the newest version of the package itself, then providers."""
        if not self._native(relation):
            return
        own = (found for found in self.universe.candidates(relation.name) if self._eligible(found, relation))
        yield from [found for found in own if relation.accepts(found.version)][:1]
        for provider in self.universe.providers(relation.name):
            provided = [entry for entry in provider.provides if entry.name == relation.name]
            if any(relation.accepts_provided(entry.version) for entry in provided) and self._eligible(
                provider, None
            ):
                yield provider

    def _eligible(self, candidate: Candidate, relation: Relation | None) -> bool:
        """Pins hold, and a package that is there already stays at its version."""
        pinned = self.versions.get(candidate.name)
        chosen = self.chosen.get(candidate.name)
        return (pinned is None or candidate.version == pinned) and (
            chosen is None or (relation is not None and chosen.version == candidate.version)
        )

    def _native(self, relation: Relation) -> bool:
        return relation.qualifier in ("", "any", "native", "all", self.architecture)

    def _conflict(self, candidate: Candidate) -> tuple[Candidate, Relation] | None:
        """The chosen package that cannot be together with `candidate`, and the relation that says so."""
        for relation in candidate.conflicts:
            chosen = self.chosen.get(relation.name)
            if chosen is not None and chosen.name != candidate.name and relation.accepts(chosen.version):
                return chosen, relation
            for provider, provided in self._provided.get(relation.name, ()):
                if provider.name != candidate.name and relation.accepts_provided(provided.version):
                    return provider, relation
        return self._rejection(candidate)

    def _rejection(self, candidate: Candidate) -> tuple[Candidate, Relation] | None:
        for owner, relation in self._rejected.get(candidate.name, ()):
            if owner.name != candidate.name and relation.accepts(candidate.version):
                return owner, relation
        for provided in candidate.provides:
            for owner, relation in self._rejected.get(provided.name, ()):
                if owner.name != candidate.name and relation.accepts_provided(provided.version):
                    return owner, relation
        return None

    def _chain(self, name: str) -> str:
        """Why `name` is wanted: from the package that was asked for down to it."""
        parts: list[str] = []
        while name in self.reasons and len(parts) < 20:
            owner, relation = self.reasons[name]
            parts.append(str(relation) if relation else name)
            name = owner
        return " -> ".join(reversed([*parts, name] if name else parts))

    def _unknown(self, relation: Relation, options: list[Candidate]) -> ResolveError:
        name = relation.name
        if options:
            providers = ", ".join(option.name for option in options)
            return ResolveError(
                f"{name} is provided by several packages", where=name, fix=f"name one of {providers}"
            )
        if versions := [found.version for found in self.universe.candidates(name)]:
            return ResolveError(
                f"there is no version {relation.version} of {name}; the archive has {', '.join(versions)}",
                where=name,
                fix="ask for one of these, or resolve against a snapshot of the archive",
            )
        close = difflib.get_close_matches(name, self.universe.names(), n=3, cutoff=0.75)
        fix = (
            f"did you mean {' or '.join(close)}?" if close else "check the name, the suite and its components"
        )
        return ResolveError(f"there is no package {name} in the archive", where=name, fix=fix)

    def _unsatisfiable(self, owner: Candidate, group: Group) -> ResolveError:
        wanted = " | ".join(map(str, group))
        offered = [
            f"{found.name} {found.version}" for each in group for found in self.universe.candidates(each.name)
        ]
        there = f"the archive has {', '.join(dict.fromkeys(offered))}" if offered else "the archive has none"
        present = [self.chosen[each.name] for each in group if each.name in self.chosen]
        if present:
            there = f"{', '.join(f'{each.name} {each.version}' for each in present)} is chosen already"
        return ResolveError(
            f"{owner.name} {owner.version} depends on {wanted}, but {there}",
            where=self._chain(owner.name),
            fix="the suites do not fit together, a component is missing, or the mirror is being updated",
        )

    def _conflicting(self, candidate: Candidate, other: Candidate, relation: Relation) -> ResolveError:
        return ResolveError(
            f"{candidate.name} {candidate.version} cannot be together with {other.name} {other.version} "
            f"({relation} is excluded), which is wanted by {self._chain(other.name) or 'the tree below'}",
            where=self._chain(candidate.name),
            fix=f"leave out {candidate.name} or {other.name}, or name the alternative that you want",
        )
