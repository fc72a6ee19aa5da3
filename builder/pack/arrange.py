"""Entries in any order become a tree in the one order that every image has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builder.core.errors import PackError
from builder.model.entry import Entry, Kind
from builder.pack.normalise import sort_key
from builder.tar.header import printable


class _File:
    """What all names of one file share; hard links are names of the same object."""

    __slots__ = ("entry",)

    def __init__(self, entry: Entry) -> None:
        self.entry = entry


def arrange(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The tree of `entries`, sorted: the first name of a file carries its content, every directory is
    explicit, the root if there is an entry for it.

    A root comes first if there is one. The last entry of a path wins; a hard link names what its target was
    when it came, or what it is in the end. Missing directories are 0755 and owned by root. Raises PackError
    for what is no tree: a path through a file or symbolic link, a hard link to nothing or to a directory.
    """
    files = _name_files(entries)
    _add_parents(files)
    first_names: dict[int, bytes] = {}
    for path in sorted(files, key=sort_key):
        entry = files[path].entry
        first = first_names.setdefault(id(files[path]), path)
        if first == path:
            yield entry._replace(path=path)
        else:
            yield Entry(path, Kind.HARDLINK, entry.mode, entry.uid, entry.gid, entry.mtime, target=first)


def _name_files(entries: Iterable[Entry]) -> dict[bytes, _File]:
    files: dict[bytes, _File] = {}
    pending: dict[bytes, Entry] = {}
    for entry in entries:
        path = entry.path
        _check_names(entry)
        if entry.kind is not Kind.HARDLINK:
            files[path] = _File(entry)
        elif entry.target in files:
            files[path] = _linked(entry, files)
        else:
            files.pop(path, None)
            pending[path] = entry
            continue
        pending.pop(path, None)
    _settle(pending, files)
    return files


def _check_names(entry: Entry) -> None:
    if b".." in entry.path and b".." in entry.path.split(b"/"):
        raise PackError("has a `..` in its name, which no WSL extracts", where=printable(entry.path))
    if b"\0" in entry.path or b"\0" in entry.target:
        raise PackError(
            "has a NUL in its name or target, which Linux does not know",
            where=printable(entry.path),
            fix="the archive is damaged: make it again",
        )


def _settle(pending: dict[bytes, Entry], files: dict[bytes, _File]) -> None:
    """Name what the hard links of `pending` lead to, through one another."""
    for path in tuple(pending):
        chain: list[Entry] = []
        at = path
        while (link := pending.pop(at, None)) is not None:
            chain.append(link)
            at = link.target
        for link in reversed(chain):
            files[link.path] = _linked(link, files)


def _linked(entry: Entry, files: dict[bytes, _File]) -> _File:
    found = files.get(entry.target)
    if found is None or found.entry.kind is Kind.DIRECTORY:
        what = "which is a directory" if found else "which is not there"
        raise PackError(
            f"is a hard link to {printable(entry.target)}, {what}",
            where=printable(entry.path),
            fix="make the archive again, from the whole tree",
        )
    return found


def _add_parents(files: dict[bytes, _File]) -> None:
    for path in sorted(files):
        above = path
        while b"/" in above:
            above = above.rpartition(b"/")[0]
            parent = files.setdefault(above, _File(Entry(path=above, kind=Kind.DIRECTORY, mode=0o755)))
            if parent.entry.kind is not Kind.DIRECTORY:
                raise PackError(
                    f"lies below {printable(above)}, which is a {parent.entry.kind.name.lower()}",
                    where=printable(path),
                    fix="give it its real place, or make a directory of what it lies below",
                )
