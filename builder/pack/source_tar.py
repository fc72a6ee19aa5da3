"""The entries of an archive in any order, compressed or not, without unpacking it.

Headers are kept in memory, content never: it stays in the archive where that is a plain file, and is spooled
to an unnamed file on disk where it is compressed, sparse or comes through a pipe.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from builder.core.errors import PackError
from builder.core.events import Note, Progress, Sink, discard
from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.content import State, state_of
from builder.pack.output import write_full
from builder.tar.compression import Compression, CompressionError, Tally
from builder.tar.format import GNU_SPARSE
from builder.tar.member import Member
from builder.tar.parse import TarError
from builder.tar.read import Archive, judge_end, open_archive

_STEP = 1 << 20
"""How many more bytes of an archive must have been read before it is worth telling."""
_ACL = b"SCHILY.acl."


@contextmanager
def read_archive(
    file: BinaryIO, spool: Path, sink: Sink = discard, name: str = "the archive"
) -> Iterator[Iterator[Entry]]:
    """The tree in the archive `file`, sorted, for as long as the block lasts; `spool` is a folder on disk.

    What stands in an archive twice is as the last member says; see `arrange` for the rest. `sink` hears how
    far it is read. Raises PackError, naming the archive `name`, where it is damaged or ends too early, where
    no tree comes out of it, and where there is no room to spool it; most of that when the first entry is
    asked for.
    """
    with ExitStack() as stack:
        with _archive_errors(name):
            place = _InPlace(file)
            archive = stack.enter_context(open_archive(file))
        with _spool_errors(spool):
            spool.mkdir(parents=True, exist_ok=True)
            content = stack.enter_context(TemporaryFile(dir=spool, buffering=0))
        spooled = _Spool(spool, content.fileno())
        told = _told(_entries(archive, place, spooled), archive.tally, place.size, sink)
        yield arrange(_whole(told, archive, name, sink))


def _whole(entries: Iterator[Entry], archive: Archive, name: str, sink: Sink) -> Iterator[Entry]:
    """`entries` of the archive `name`, which then turns out to be whole, or PackError."""
    with _archive_errors(name):
        yield from entries
    found, fix = judge_end(archive.problems())
    if not archive.reader.offset:
        raise PackError("is empty", where=name, fix="look why nothing was written into it")
    if fix:
        raise PackError(found, where=name, fix=fix)
    if found:
        sink(Note(message=f"{name}: {found}", level="warning"))


@contextmanager
def _archive_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (TarError, CompressionError) as error:
        raise PackError(error.message, where=f"{name}, {error.where}", fix=error.fix) from error
    except OSError as error:
        raise PackError(f"cannot be read: {error.strerror}", where=name) from error


def _told(entries: Iterator[Entry], tally: Tally, total: int, sink: Sink) -> Iterator[Entry]:
    """`entries`, and to `sink` how much of the `total` bytes was read for them."""
    told = 0
    for entry in entries:
        if tally.read - told >= _STEP:
            told = tally.read
            sink(Progress(label="read", done=told, total=total, unit="B"))
        yield entry


@contextmanager
def _spool_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PackError(
            f"the content of the archive cannot be kept while it is sorted: {error.strerror}",
            where=str(folder),
            fix="make room there or name another folder with WSLIMG_CACHE; a file that is not compressed "
            "needs none",
        ) from error


def _entries(archive: Archive, place: _InPlace, spool: _Spool) -> Iterator[Entry]:
    in_place = archive.compression is Compression.NONE and place.is_usable
    for member in archive.reader:
        entry = _entry(member)
        if entry.kind is not Kind.FILE or not member.size:
            yield entry
        elif in_place and not _is_sparse(member):
            yield entry._replace(size=member.size, open=place.at(archive.reader.offset))
        else:
            yield entry._replace(size=member.size, open=spool.add(member))


def _entry(member: Member) -> Entry:
    kind = member.kind
    target = member.linkname if kind is Kind.SYMLINK else b""
    acls = tuple(
        (b"system.posix_acl_" + key[len(_ACL) :], text)
        for key, text in member.pax.items()
        if key.startswith(_ACL)
    )
    return Entry(
        path=_clean_name(member.name),
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        mtime=member.mtime,
        target=_clean_name(member.linkname) if kind is Kind.HARDLINK else target,
        xattrs=tuple(sorted(member.xattrs + acls)) if acls else member.xattrs,
        device=member.device,
    )


def _clean_name(name: bytes) -> bytes:
    """As bsdtar does it: without a leading slash, without empty parts and `.`."""
    return b"/".join(part for part in name.split(b"/") if part not in (b"", b"."))


def _is_sparse(member: Member) -> bool:
    return member.flag == GNU_SPARSE or any(key.startswith(b"GNU.sparse.") for key in member.pax)


class _InPlace:
    """The file that holds an archive, as one to open again: content that is not compressed stays there.

    Not where the file is a pipe, or one that only whoever gave it to us may open. `size` is in bytes, 0 if
    unknown; the archive begins where `file` is read next.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.size = self._begin = 0
        self._state: State | None = None
        with suppress(OSError):
            self._file = file.fileno()
            status = os.fstat(self._file)
            if stat.S_ISREG(status.st_mode):
                self.size, self._begin = status.st_size, file.tell()
                os.close(_OpenAt(self._file, 0)())
                self._state = state_of(status)

    @property
    def is_usable(self) -> bool:
        """Whether it can be opened again."""
        return self._state is not None

    def at(self, offset: int) -> _OpenAt:
        """Opens what stands at `offset` of the archive, as long as the file is unchanged."""
        return _OpenAt(self._file, self._begin + offset, self._state)


class _Spool:
    """The unnamed file `file` in `folder`, to which content is appended."""

    def __init__(self, folder: Path, file: int) -> None:
        self._folder = folder
        self._file = file
        self._size = 0

    def add(self, member: Member) -> _OpenAt:
        """Keep the content of `member`; zeros become a hole, so that a giant sparse file needs no disk."""
        begin, end = self._size, self._size
        for offset, piece in member.body.parts():
            if piece.count(0) != len(piece):
                with _spool_errors(self._folder):
                    if begin + offset != end:
                        os.lseek(self._file, begin + offset, os.SEEK_SET)
                    write_full(self._file, piece)
                end = begin + offset + len(piece)
        self._size += member.size
        if end != self._size:
            with _spool_errors(self._folder):
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
        return _OpenAt(self._file, begin)


class _OpenAt:
    """Opens the file behind the descriptor `file` anew, as each reader needs a position of its own. If it
    has a `state`, OSError with ESTALE is raised for another one."""

    __slots__ = ("file", "offset", "state")

    def __init__(self, file: int, offset: int, state: State | None = None) -> None:
        self.file = file
        self.offset = offset
        self.state = state

    def __call__(self) -> int:
        new = os.open(f"/proc/self/fd/{self.file}", os.O_RDONLY | os.O_CLOEXEC)
        if self.state is not None and state_of(os.fstat(new)) != self.state:
            os.close(new)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        os.lseek(new, self.offset, os.SEEK_SET)
        return new
