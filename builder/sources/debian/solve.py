"""What installing a set of packages brings with it, decided as apt decides it.

Everything that was asked for is chosen first, so that a virtual dependency finds it (mawk is required,
so nothing pulls in gawk). Then dependencies with one possible answer are followed before those with
several. Nothing is ever removed and no choice is taken back: a conflict is an error that names both sides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from builder.core.errors import ResolveError
from builder.sources.debian.index import Candidate, Universe
from builder.sources.debian.refusals import conflicting, several_providers, unknown_package, unsatisfiable
from builder.sources.debian.relations import Group, Relation
from builder.sources.debian.selection import Selection


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
    solution = _Solution(universe, Selection(architecture, installed), versions or {})
    for name in sorted(names):
        solution.request(name)
    solution.close()
    if recommends:
        solution.follow_recommends()
    return tuple(sorted(solution.added, key=lambda candidate: candidate.name))


class _Solution:
    """A selection that grows, the dependencies still to be looked at, and why each package is there."""

    def __init__(self, universe: Universe, selection: Selection, versions: Mapping[str, str]) -> None:
        self.added: list[Candidate] = []
        self._universe = universe
        self._selection = selection
        self._versions = versions
        self._reasons: dict[str, tuple[str, str]] = {}
        self._open: deque[tuple[Candidate, Group]] = deque()

    def request(self, name: str) -> None:
        """Choose the package `name`, or the only one that provides it."""
        pin = self._versions.get(name, "")
        relation = Relation(name, "", "=" if pin else "", pin)
        if self._selection.satisfies((relation,)):
            return
        options = list(self._options(relation))
        if not options:
            raise unknown_package(self._universe, relation)
        if options[0].name != name and len(options) > 1:
            raise several_providers(name, options)
        self._choose(options[0], "", options[0].name)

    def close(self) -> None:
        """Follow the dependencies of everything that was chosen until all hold."""
        unclear: deque[tuple[Candidate, Group]] = deque()
        while self._open or unclear:
            forced = bool(self._open)
            owner, group = self._open.popleft() if forced else unclear.popleft()
            if self._selection.satisfies(group):
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
            for group in self.added[position].recommends:
                if not self._selection.satisfies(group):
                    self._try(self.added[position], group)
            position += 1

    def _try(self, owner: Candidate, group: Group) -> None:
        """Choose from `group` with all that it needs, or leave everything as it was."""
        options = self._group_options(group)
        if not options:
            return
        before = self._selection.copy(), self.added.copy(), self._reasons.copy()
        try:
            self._choose_one(owner, group, options)
            self.close()
        except ResolveError:
            self._selection, self.added, self._reasons = before
            self._open.clear()

    def _choose_one(self, owner: Candidate, group: Group, options: list[tuple[Relation, Candidate]]) -> None:
        """Choose the first of `options` that conflicts with nothing."""
        if not options:
            chosen, chain = self._selection.chosen, self._chain(owner.name)
            raise unsatisfiable(self._universe, chosen, owner, group, chain)
        free = (option for option in options if self._selection.conflict(option[1]) is None)
        relation, candidate = next(free, options[0])
        self._choose(candidate, owner.name, str(relation))

    def _choose(self, candidate: Candidate, owner: str, wanted: str) -> None:
        self._reasons.setdefault(candidate.name, (owner, wanted))
        if conflict := self._selection.conflict(candidate):
            chains = self._chain(candidate.name), self._chain(conflict[0].name)
            raise conflicting(candidate, conflict, *chains)
        self._selection.add(candidate)
        self.added.append(candidate)
        self._open.extend((candidate, group) for group in candidate.depends)

    def _group_options(self, group: Group) -> list[tuple[Relation, Candidate]]:
        return [(relation, candidate) for relation in group for candidate in self._options(relation)]

    def _options(self, relation: Relation) -> Iterator[Candidate]:
        """What could satisfy `relation`: the newest version of the package itself, then providers."""
        if not self._selection.is_native(relation):
            return
        for candidate in self._universe.candidates(relation.name):
            if relation.accepts(candidate.version) and self._eligible(candidate):
                yield candidate
                break
        for provider in self._universe.providers(relation.name):
            versions = [entry.version for entry in provider.provides if entry.name == relation.name]
            if any(map(relation.accepts_provided, versions)) and self._eligible(provider):
                yield provider

    def _eligible(self, candidate: Candidate) -> bool:
        """Pins hold, and what is chosen already stays at its version."""
        if candidate.name in self._selection.chosen:
            return False
        return self._versions.get(candidate.name, candidate.version) == candidate.version

    def _chain(self, name: str) -> str:
        """Why `name` is there: from the package that was asked for down to it."""
        parts: list[str] = []
        while name in self._reasons:
            name, wanted = self._reasons[name]
            parts.append(wanted)
        return " -> ".join(reversed(parts))
