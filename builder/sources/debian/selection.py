"""A set of chosen packages, free of conflicts, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builder.sources.debian.index import Candidate
from builder.sources.debian.relations import Group, Relation

Conflict = tuple[Candidate, Relation]
"""The other package, and the relation that excludes the two from being together."""


class Selection:
    """Packages by name, with what they provide and exclude. `architecture` is that of the whole set."""

    def __init__(self, architecture: str, candidates: Iterable[Candidate] = ()) -> None:
        self.architecture = architecture
        self.chosen: dict[str, Candidate] = {}
        self._provided: dict[str, list[Conflict]] = {}
        self._excluded: dict[str, list[Conflict]] = {}
        for candidate in candidates:
            self.add(candidate)

    def copy(self) -> Selection:
        """An independent selection with the same content."""
        return Selection(self.architecture, self.chosen.values())

    def add(self, candidate: Candidate) -> None:
        """Choose `candidate`, of which `conflict` knows nothing."""
        self.chosen[candidate.name] = candidate
        for provided in candidate.provides:
            self._provided.setdefault(provided.name, []).append((candidate, provided))
        for relation in candidate.conflicts:
            self._excluded.setdefault(relation.name, []).append((candidate, relation))

    def is_native(self, relation: Relation) -> bool:
        """Whether packages of this architecture can satisfy `relation` at all."""
        return relation.qualifier in ("", "any", "native", "all", self.architecture)

    def satisfies(self, group: Group) -> bool:
        """Whether one of the alternatives holds."""
        return any(self._satisfies(relation) for relation in group)

    def _satisfies(self, relation: Relation) -> bool:
        if not self.is_native(relation):
            return False
        chosen = self.chosen.get(relation.name)
        if chosen is not None and relation.accepts(chosen.version):
            return True
        provided = self._provided.get(relation.name, ())
        return any(relation.accepts_provided(entry.version) for _, entry in provided)

    def conflict(self, candidate: Candidate) -> Conflict | None:
        """What keeps `candidate` from being chosen. A package never conflicts with itself (Policy 7.4)."""
        conflicts = (*self._excluded_by(candidate), *self._excluding(candidate))
        return next((found for found in conflicts if found[0].name != candidate.name), None)

    def _excluded_by(self, candidate: Candidate) -> Iterator[Conflict]:
        for relation in candidate.conflicts:
            chosen = self.chosen.get(relation.name)
            if chosen is not None and relation.accepts(chosen.version):
                yield chosen, relation
            for provider, provided in self._provided.get(relation.name, ()):
                if relation.accepts_provided(provided.version):
                    yield provider, relation

    def _excluding(self, candidate: Candidate) -> Iterator[Conflict]:
        for owner, relation in self._excluded.get(candidate.name, ()):
            if relation.accepts(candidate.version):
                yield owner, relation
        for provided in candidate.provides:
            for owner, relation in self._excluded.get(provided.name, ()):
                if relation.accepts_provided(provided.version):
                    yield owner, relation
