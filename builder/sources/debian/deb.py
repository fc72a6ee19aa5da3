"""Binary packages (deb(5)): an ar archive with control.tar and data.tar in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from builder.core.errors import ResolveError
from builder.model.entry import Entry
from builder.tar.compression import NO_LIMITS, CompressionError, Tally, decompress
from builder.tar.parse import TarError
from builder.tar.read import TarReader

_MAGIC = b"!<arch>\n"
_HEADER = 60


class ControlFile(NamedTuple):
    """A file of control.tar: `name` such as "postinst", the permission bits, the content."""

    name: str
    mode: int
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Deb:
    """An opened package. `control` is the text of its control file, `files` are the others of control.tar.

    `entries` are the members of data.tar in its order, b"" for the root; they open below the spool file.
    """

    control: str
    files: tuple[ControlFile, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Opens `path` at `offset`: the content of an entry within a larger file."""

    path: str
    offset: int

    def __call__(self) -> int:
        """A new descriptor at the first byte, owned by the caller."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(descriptor, self.offset, os.SEEK_SET)
        return descriptor


def read_deb(path: Path, spool: Path) -> Deb:
    """The package at `path`; its data.tar is unfolded to the file `spool`. Raises ResolveError if damaged."""
    with _readable(path):
        control, files = read_control(path)
        return Deb(control=control, files=files, entries=tuple(_spooled_entries(path, spool)))


def read_control(path: Path) -> tuple[str, tuple[ControlFile, ...]]:
    """The text of the control file of the package at `path`, and the other files beside it."""
    with _readable(path), _member(path, "control.tar") as chunks:
        files = [
            ControlFile(
                os.path.basename(member.name).decode(), member.mode & 0o7777, member.body.read(member.size)
            )
            for member in TarReader(chunks)
            if member.kind.value == b"0"
        ]
    control = next((file.data for file in files if file.name == "control"), None)
    if control is None:
        raise ResolveError("has no control file", where=str(path))
    return control.decode("utf-8"), tuple(file for file in files if file.name != "control")


def read_file(path: Path, names: tuple[bytes, ...]) -> bytes | None:
    """The content of the first regular file of data.tar that has one of `names`, None if none has."""
    with _readable(path), _member(path, "data.tar") as chunks:
        for member in TarReader(chunks):
            if _normal(member.name) in names and member.kind.value == b"0":
                return member.body.read(member.size)
    return None


def _spooled_entries(path: Path, spool: Path) -> Iterator[Entry]:
    with _member(path, "data.tar") as chunks, spool.open("wb") as file:
        reader = TarReader(_copied(chunks, file))
        for member in reader:
            yield Entry(
                path=_normal(member.name),
                kind=member.kind,
                mode=member.mode & 0o7777,
                uid=member.uid,
                gid=member.gid,
                mtime=member.mtime,
                size=member.size,
                target=_normal(member.linkname) if member.kind.value == b"1" else member.linkname,
                device=member.device,
                open=Slice(str(spool), reader.offset) if member.size else None,
            )


def _copied(chunks: Iterator[bytes], file: BinaryIO) -> Iterator[bytes]:
    for chunk in chunks:
        file.write(chunk)
        yield chunk


def _normal(name: bytes) -> bytes:
    return name.removeprefix(b".").strip(b"/")


class _Member:
    """A file-like view of `size` bytes of `file` from where it stands."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def read(self, count: int) -> bytes:
        data = self._file.read(min(count, self._left))
        self._left -= len(data)
        return data


@contextmanager
def _member(path: Path, stem: str) -> Iterator[Iterator[bytes]]:
    """The uncompressed content of the member whose name begins with `stem`."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ResolveError("is not a Debian package", where=str(path))
        while len(header := file.read(_HEADER)) == _HEADER:
            size = int(header[48:58])
            if header.startswith(stem.encode()):
                # It was verified: what it unfolds to is what its maintainer meant.
                yield decompress(cast("BinaryIO", _Member(file, size)), Tally(limits=NO_LIMITS))[1]
                return
            file.seek(size + size % 2, os.SEEK_CUR)
    raise ResolveError(f"is a package without {stem}", where=str(path))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (TarError, CompressionError) as error:
        raise ResolveError(
            f"is a damaged package: {error}", where=str(path), fix="delete it from the cache"
        ) from error
