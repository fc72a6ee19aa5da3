"""The closed set of operations a plan consists of: Exec, Put, Remove.

Everything that can influence a layer is a field here, so that hashing an operation is hashing its effect.
Paths inside the image are absolute POSIX strings; bytes that are not UTF-8 are surrogate escapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builder.model.entry import Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The bytes of one file: inline, or to be read from `path` on the host. Only `digest` has meaning."""

    digest: str
    size: int
    data: bytes | None = None
    path: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PutEntry:
    """One entry to lay over the tree. `kind` is FILE, DIRECTORY or SYMLINK.

    With `mode` None mode and owner are those of what exists, and otherwise 0:0 with 0755 for a DIRECTORY and
    0644 for a FILE; such a FILE is written through a link that leads to a file.
    Missing parents are made 0755 0:0. Links in the parents are followed inside the image.
    """

    path: str
    kind: Kind
    mode: int | None = 0o644
    uid: int = 0
    gid: int = 0
    target: str = ""
    content: Content | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A change to a text file of the image that depends on what is there.

    `editor` names a pure function `(old: bytes | None, arguments) -> bytes` of the table in `builder.steps`.
    `arguments` are plain strings, so that they can be hashed. Mode and owner of an existing file are kept.
    """

    path: str
    editor: str
    arguments: tuple[str, ...]
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Put:
    """Lay entries over the tree, then apply edits, in this order."""

    entries: tuple[PutEntry, ...] = ()
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Remove:
    """Remove what matches: absolute paths with the wildcards of fnmatch, where `*` does not match `/`
    and `**` does. A matched directory goes with all that is below it. No match is no error."""

    patterns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A verified file shown to a step, read-only, at `/run/wslimg/inputs/NAME`; gone afterwards."""

    name: str
    content: Content


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """A file shown to a step at `/run/secrets/NAME`, mode 0400. Its content is in no key, log or layer."""

    name: str
    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Exec:
    """Run a command in a container on the tree, as Docker would run it.

    `argv[0]` is looked up on PATH of `env`. `stdin` is what the command reads (a script, mostly).
    `timeout` is in seconds, 0 for none. `freshness` takes part in the key and in nothing else: the
    digests of signed indexes that a networked command depends on, or a token that forces a rerun.
    """

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    user: str = "root"
    network: bool = False
    timeout: int = 0
    stdin: bytes = b""
    inputs: tuple[Input, ...] = ()
    secrets: tuple[Secret, ...] = ()
    caches: tuple[str, ...] = ()
    freshness: tuple[str, ...] = ()


Operation = Exec | Put | Remove
