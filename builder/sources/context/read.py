"""Reads a context: what its ignore file leaves, sorted, as root's files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import file_digest
from operator import attrgetter
from pathlib import Path

from builder.core.digests import sha256_json
from builder.core.errors import ResolveError
from builder.core.patterns import matches
from builder.model.entry import Entry, Kind
from builder.sources.context.ignore import IgnoreRules

_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.SYMLINK}
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def read_context(folder: Path, file: str, private: Iterable[str] = ()) -> tuple[Entry, ...]:
    """What is sent to a builder of `folder` with the Dockerfile `file`: folders before what is in them.

    As with Docker's own client owners are root, hard links are files, and what is neither file, folder nor
    symbolic link stays behind. The Dockerfile is sent even if it is ignored, and nothing whose absolute path
    matches `private`. Raises ResolveError.
    """
    rules, dockerfile = read_rules(folder, file), os.fsencode(os.path.normpath(file))

    def enters(path: bytes) -> bool:
        named = dockerfile.startswith(path + b"/")
        return named or rules.lets_in_again or not rules.ignores(os.fsdecode(path))

    try:
        found = list(_walk(os.fsencode(folder), b"", enters))
        kept = _with_parents(found, rules, dockerfile)
    except OSError as error:
        fix = "run as a user who may, or name it in .dockerignore" if error.errno == errno.EACCES else ""
        where = os.fsdecode(error.filename) if error.filename else str(folder)
        raise ResolveError(f"cannot be read: {error.strerror}", where=where, fix=fix) from None
    return tuple(_without(kept, folder, tuple(private)))


def _without(entries: Iterable[Entry], folder: Path, private: tuple[str, ...]) -> Iterator[Entry]:
    top = os.path.abspath(folder)
    for entry in entries:
        path = os.path.join(top, os.fsdecode(entry.path))
        if not any(matches(pattern, path) for pattern in private):
            yield entry


def read_rules(folder: Path, file: str) -> IgnoreRules:
    """The rules of `FILE.dockerignore` where there is one, else of `.dockerignore`. Raises ResolveError."""
    for path in (folder / f"{file}.dockerignore", folder / ".dockerignore"):
        try:
            return IgnoreRules(path.read_text("utf-8"), str(path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise ResolveError(f"cannot be read: {error}", where=str(path)) from None
    return IgnoreRules()


def digest_context(context: Iterable[Entry]) -> str:
    """The digest of the names, modes, targets and contents of files: of two checkouts it is the same."""
    return sha256_json([_describe(entry) for entry in context if entry.kind is not Kind.DIRECTORY])


def _describe(entry: Entry) -> tuple[str, ...]:
    path, target = os.fsdecode(entry.path), os.fsdecode(entry.target)
    return path, entry.kind.name, f"{entry.mode:04o}", target, _digest_content(entry)


def _digest_content(entry: Entry) -> str:
    if entry.open is None:
        return ""
    with open(entry.open(), "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _walk(top: bytes, folder: bytes, enters: Callable[[bytes], bool]) -> Iterator[Entry]:
    """Everything below `folder`, as far as `enters` says so of folders."""
    with os.scandir(os.path.join(top, folder) if folder else top) as items:
        found = sorted(items, key=attrgetter("name"))
    for item in found:
        path = os.path.join(folder, item.name)
        entry = _entry(item, path)
        if entry is None:
            continue
        yield entry
        if entry.kind is Kind.DIRECTORY and enters(path):
            yield from _walk(top, path, enters)


def _with_parents(found: list[Entry], rules: IgnoreRules, file: bytes) -> Iterator[Entry]:
    """What is not ignored, the Dockerfile `file`, and the folders that these lie in."""
    wanted = {each.path for each in found if not rules.ignores(os.fsdecode(each.path))} | {file}
    for path in list(wanted):
        while path := os.path.dirname(path):
            wanted.add(path)
    return (each for each in found if each.path in wanted)


def _entry(item: os.DirEntry[bytes], path: bytes) -> Entry | None:
    status = item.stat(follow_symlinks=False)
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    size = status.st_size if kind is Kind.FILE else 0
    return Entry(
        path,
        kind,
        stat.S_IMODE(status.st_mode),
        mtime=int(status.st_mtime),
        size=size,
        target=os.readlink(item.path) if kind is Kind.SYMLINK else b"",
        open=partial(os.open, item.path, _FLAGS) if size else None,
    )
