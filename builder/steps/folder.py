"""A folder of the host as data: what would be the same in every checkout of it."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.model.entry import Kind
from builder.model.operation import Content
from builder.steps.contents import CRLF_MESSAGE, file_content, has_crlf_script
from builder.steps.step import InputProblem, InputProblems

_IGNORED = frozenset({".gitkeep"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderEntry:
    """`path` is relative to the folder; bytes that are not UTF-8 are surrogate escapes."""

    path: str
    kind: Kind
    executable: bool = False
    target: str = ""
    content: Content | None = None


def read_folder(folder: Path, named: str) -> tuple[FolderEntry, ...]:
    """All entries below `folder`, which the recipe calls `named`, parents first, siblings by raw bytes.

    Raises InputProblems for a folder that is not there, and for each file that cannot be shipped.
    """
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        message = f"the folder {named} {found}, expected a folder: {folder}"
        raise InputProblems((InputProblem(location=("source",), message=message),))
    index = _git_index(folder)
    entries: list[FolderEntry] = []
    problems: list[InputProblem] = []
    for path in _walk(folder, ""):
        try:
            entries.append(_read_entry(folder, path, index.get(path)))
        except _UnusableError as error:
            message = f"{os.path.join(named, path)} {error}"
            problems.append(InputProblem(location=("source",), message=message))
    if problems:
        raise InputProblems(tuple(problems))
    return tuple(entries)


class _UnusableError(Exception):
    """Why an entry cannot be shipped."""


def _walk(folder: Path, below: str) -> Iterator[str]:
    names = sorted(os.listdir(folder / below), key=os.fsencode)
    for name in names:
        path = os.path.join(below, name)
        if name in _IGNORED:
            continue
        yield path
        if (folder / path).is_dir() and not (folder / path).is_symlink():
            yield from _walk(folder, path)


def _read_entry(folder: Path, path: str, tracked: str | None) -> FolderEntry:
    place = folder / path
    status = place.lstat()
    if stat.S_ISLNK(status.st_mode):
        return FolderEntry(path=path, kind=Kind.SYMLINK, target=os.readlink(place))
    if stat.S_ISDIR(status.st_mode):
        return FolderEntry(path=path, kind=Kind.DIRECTORY)
    if not stat.S_ISREG(status.st_mode):
        raise _UnusableError("is neither a file, a folder nor a symbolic link")
    return _read_file(place, path, tracked, executable=bool(status.st_mode & stat.S_IXUSR))


def _read_file(place: Path, path: str, tracked: str | None, *, executable: bool) -> FolderEntry:
    try:
        with place.open("rb") as file:
            head = file.read(4096)
        content = file_content(place)
    except PermissionError:
        raise _UnusableError("is not readable") from None
    if tracked == "120000":  # git writes links as files where core.symlinks is false (Windows)
        return FolderEntry(path=path, kind=Kind.SYMLINK, target=os.fsdecode(head))
    if has_crlf_script(head):
        raise _UnusableError(CRLF_MESSAGE)
    executable = executable if tracked is None else tracked == "100755"
    return FolderEntry(path=path, kind=Kind.FILE, executable=executable, content=content)


def _git_index(folder: Path) -> Mapping[str, str]:
    """The modes ("100644", "100755", "120000") that git's index holds, by path relative to `folder`.

    Empty without git or outside a repository. A repository of another user is read all the same:
    builds run as root, and listing an index runs nothing once its fsmonitor hook is off.
    """
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "ls-files", "--stage", "-z"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        listing = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return {}
    lines = (line.partition(b"\t") for line in listing.split(b"\0") if line)
    return {os.fsdecode(path): facts[:6].decode("ascii") for facts, _, path in lines}
