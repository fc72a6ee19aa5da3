"""Puts the files of many packages into one tree, as dpkg would by unpacking one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builder.core.errors import ResolveError
from builder.model.entry import Entry, Kind
from builder.sources.debian.database import Unpacked
from builder.sources.debian.relations import parse_relations

_WAITING = b".dpkg-new"
_MERGED = (b"bin", b"lib", b"sbin")
_MERGED_BY_ARCHITECTURE = {"amd64": (b"lib64",), "loong64": (b"lib64",), "ppc64el": (b"lib64",)}


class Placement:
    """A tree that grows by packages. Directories belong to the first that brings them, as with dpkg;
    files to the only one, or to the one that declares to replace the other's."""

    def __init__(self, architecture: str) -> None:
        self._links = (*_MERGED, *_MERGED_BY_ARCHITECTURE.get(architecture, ()))
        self._entries: dict[bytes, Entry] = {}
        self._owners: dict[bytes, Unpacked] = {}

    def add(self, package: Unpacked, *, essential: bool) -> None:
        """Lay the content of `package` into the tree. Raises ResolveError where two packages collide.

        Configuration files wait under the name that dpkg --configure expects. Those of `essential` packages
        are in place as well, since these must work before they are configured (Debian Policy 3.8): the
        postinst of passwd reads login.defs.
        """
        conffiles = {path.encode().strip(b"/") for path in package.conffiles}
        for entry in package.deb.entries:
            placed = self._resolved(entry)
            if entry.path not in conffiles:
                self._place(package, placed)
                continue
            self._place(package, placed._replace(path=placed.path + _WAITING))
            if essential:
                self._place(package, placed)

    def lay(self, entries: Iterable[Entry]) -> None:
        """Add entries of no package, over what is there; directories that exist stay as they are."""
        for entry in entries:
            if entry.kind is not Kind.DIRECTORY or entry.path not in self._entries:
                self._entries[entry.path] = entry

    def has(self, path: bytes) -> bool:
        """Whether there is an entry `path`."""
        return path in self._entries

    def entries(self) -> Iterator[Entry]:
        """The tree: parents before children, hard links last. The root is not among them."""
        for link in self._links:
            self._entries.setdefault(link, Entry(link, Kind.SYMLINK, 0o777, target=b"usr/" + link))
        self._add_parents()
        ordered = [self._entries[path] for path in sorted(self._entries) if path]
        yield from (entry for entry in ordered if entry.kind is not Kind.HARDLINK)
        yield from (entry for entry in ordered if entry.kind is Kind.HARDLINK)

    def _resolved(self, entry: Entry) -> Entry:
        """`entry` with the names that it and its target have on disk."""
        target = self._resolve(entry.target, entry.kind) if entry.kind is Kind.HARDLINK else entry.target
        return entry._replace(path=self._resolve(entry.path, entry.kind), target=target)

    def _resolve(self, path: bytes, kind: Kind) -> bytes:
        """Where `path` really is: what used to be /bin is a link into /usr (file-hierarchy(7))."""
        first, slash, _ = path.partition(b"/")
        if first in self._links and (slash or kind is Kind.DIRECTORY):
            return b"usr/" + path
        return path

    def _place(self, package: Unpacked, entry: Entry) -> None:
        old = self._entries.get(entry.path)
        if old is not None:
            if Kind.DIRECTORY in (old.kind, entry.kind):
                self._check_directory(package, old, entry)
                return
            if not self._replaces(package, entry.path):
                return
        self._entries[entry.path] = entry
        self._owners[entry.path] = package

    def _check_directory(self, package: Unpacked, old: Entry, new: Entry) -> None:
        """A link to a directory may stand for it, as dpkg has it; a file may not."""
        if {old.kind, new.kind} - {Kind.DIRECTORY, Kind.SYMLINK}:
            raise _collision(self._owners[new.path], package, new.path)

    def _replaces(self, package: Unpacked, path: bytes) -> bool:
        """Whether the entry of `package` takes the place of the one at `path`."""
        owner = self._owners[path]
        if _declares(package, owner):
            return True
        if _declares(owner, package):
            return False
        raise _collision(owner, package, path)

    def _add_parents(self) -> None:
        for path in list(self._entries):
            while (path := path.rpartition(b"/")[0]) and path not in self._entries:
                self._entries[path] = Entry(path, Kind.DIRECTORY, 0o755)


def _declares(package: Unpacked, other: Unpacked) -> bool:
    """Whether `package` replaces files of `other` (Debian Policy 7.6.1)."""
    groups = parse_relations(package.fields.get("replaces", ""))
    return any(
        relation.name == other.name and relation.accepts(other.fields["version"])
        for group in groups
        for relation in group
    )


def _collision(one: Unpacked, other: Unpacked, path: bytes) -> ResolveError:
    return ResolveError(
        f"both {one.name} and {other.name} bring /{path.decode(errors='replace')}",
        where=other.name,
        fix="the packages do not fit together: choose one suite for both, or another mirror",
    )
