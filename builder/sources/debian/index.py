"""Package indexes: `Packages` files, searched without parsing what nobody asks for.

An index has some 70,000 paragraphs in 55 MB; a base needs 80 of them. Names and provided names are found
by two searches over the whole text, a paragraph is parsed when it is looked at.
"""

from __future__ import annotations

import bisect
import gzip
import lzma
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builder.core.errors import ResolveError
from builder.model.lock import Package
from builder.sources.debian.deb822 import parse_paragraph
from builder.sources.debian.relations import Group, Relation, parse_relations
from builder.sources.debian.version import version_key

# Each begins with a literal, which is what makes searching fast.
_NAME = re.compile(rb"\nPackage: (\S+)")
_PROVIDES = re.compile(rb"\nProvides: (.+)")
_IMPORTANT = (
    re.compile(rb"\nPriority: (?:required|important)(?=\n)"),
    re.compile(rb"\nEssential: yes(?=\n)"),
)
_RANKS = ("required", "important", "standard", "optional", "extra")


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A version of a package that an archive offers. `provides` have the operator "=" or none."""

    package: Package
    essential: bool
    priority: str
    depends: tuple[Group, ...]
    recommends: tuple[Group, ...]
    conflicts: tuple[Relation, ...]
    provides: tuple[Relation, ...]

    @property
    def name(self) -> str:
        """The name of the package."""
        return self.package.name

    @property
    def version(self) -> str:
        """The version of the package."""
        return self.package.version

    @property
    def rank(self) -> int:
        """How apt orders providers of one name: essential packages first, then by priority."""
        return (
            -1 if self.essential else _RANKS.index(self.priority) if self.priority in _RANKS else len(_RANKS)
        )


class PackageIndex:
    """One `Packages` file of `archive`, for packages of `architecture` and "all"."""

    def __init__(self, raw: bytes, *, archive: str, architecture: str) -> None:
        self.archive = archive
        self.architecture = architecture
        self._raw = raw = b"\n" + raw
        self._starts: list[int] = []
        self._names: dict[str, list[int]] = defaultdict(list)
        for match in _NAME.finditer(raw):
            self._starts.append(match.start() + 1)
            self._names[match[1].decode()].append(match.start() + 1)
        self._providers = self._find_providers()
        self._parsed: dict[int, Candidate] = {}

    def names(self) -> Iterable[str]:
        """The names of all packages."""
        return self._names

    def candidates(self, name: str) -> Iterator[Candidate]:
        """The versions of the package `name`, in the order of the index."""
        return (self._candidate(start) for start in self._names.get(name, ()))

    def providers(self, name: str) -> Iterator[Candidate]:
        """The packages that provide `name`, in the order of the index."""
        return (self._candidate(start) for start in self._providers.get(name, ()))

    def important(self) -> Iterator[str]:
        """The names of essential packages and of those with priority required or important."""
        for pattern in _IMPORTANT:
            for match in pattern.finditer(self._raw):
                yield self._candidate(self._paragraph_of(match.start())).name

    def _find_providers(self) -> dict[str, list[int]]:
        providers: dict[str, list[int]] = defaultdict(list)
        for match in _PROVIDES.finditer(self._raw):
            start = self._paragraph_of(match.start())
            for provided in match[1].decode().split(","):
                providers[provided.partition("(")[0].partition(":")[0].strip()].append(start)
        return providers

    def _paragraph_of(self, position: int) -> int:
        return self._starts[bisect.bisect_right(self._starts, position) - 1]

    def _candidate(self, start: int) -> Candidate:
        if start not in self._parsed:
            end = self._raw.find(b"\n\n", start)
            text = self._raw[start : end if end >= 0 else None].decode("utf-8", "replace")
            self._parsed[start] = _parse_candidate(text, self.archive)
        return self._parsed[start]


class Universe:
    """Everything that the indexes of all suites offer."""

    def __init__(self, indexes: tuple[PackageIndex, ...]) -> None:
        self._indexes = indexes

    def names(self) -> set[str]:
        """The names of all packages."""
        return {name for index in self._indexes for name in index.names()}

    def candidates(self, name: str) -> tuple[Candidate, ...]:
        """The versions of the package `name`, newest first; of equal ones the first suite's."""
        found = [candidate for index in self._indexes for candidate in index.candidates(name)]
        return tuple(sorted(found, key=lambda candidate: version_key(candidate.version), reverse=True))

    def providers(self, name: str) -> tuple[Candidate, ...]:
        """The newest versions of packages that provide `name`, in apt's order: rank, then name."""
        names = {provider.name for index in self._indexes for provider in index.providers(name)}
        newest = [self.candidates(provider)[0] for provider in names]
        providing = [found for found in newest if any(name == provided.name for provided in found.provides)]
        return tuple(sorted(providing, key=lambda candidate: (candidate.rank, candidate.name)))

    def important(self) -> tuple[Candidate, ...]:
        """The newest versions of essential packages and of those with priority required or important."""
        names = {name for index in self._indexes for name in index.important()}
        return tuple(self.candidates(name)[0] for name in sorted(names))


def decompress_index(data: bytes, path: str) -> bytes:
    """The text of the index file `path`. Raises ResolveError if it is not what its name says."""
    try:
        if path.endswith(".xz"):
            return lzma.decompress(data)
        return gzip.decompress(data) if path.endswith(".gz") else data
    except (lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise ResolveError(
            f"cannot be decompressed: {error}",
            where=path,
            fix="the copy in the cache is damaged: `wslimg cache prune` empties the cache; if that does not "
            "help, the archive itself is, so choose another mirror",
        ) from error


def _parse_candidate(text: str, archive: str) -> Candidate:
    fields = parse_paragraph(text)
    package = Package(
        name=fields["package"],
        version=fields["version"],
        architecture=fields["architecture"],
        archive=archive,
        path=fields["filename"],
        size=int(fields["size"]),
        sha256=fields["sha256"],
    )
    return Candidate(
        package=package,
        essential=fields.get("essential") == "yes",
        priority=fields.get("priority", ""),
        depends=_groups(fields, "pre-depends", "depends"),
        recommends=_groups(fields, "recommends"),
        conflicts=_flat(fields, "conflicts", "breaks"),
        provides=_flat(fields, "provides"),
    )


def _groups(fields: dict[str, str], *names: str) -> tuple[Group, ...]:
    return tuple(group for name in names for group in parse_relations(fields.get(name, "")))


def _flat(fields: dict[str, str], *names: str) -> tuple[Relation, ...]:
    return tuple(relation for group in _groups(fields, *names) for relation in group)
