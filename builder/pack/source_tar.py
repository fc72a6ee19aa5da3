"""The entries of an archive in any order, compressed or not, without unpacking it.

Headers are kept in memory, content never: it stays in the archive where that is a plain file, and is spooled
to an unnamed file on disk where it is compressed, sparse or comes through a pipe.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from builder.core.errors import PackError
from builder.core.events import Progress, Sink, discard
from builder.model.entry import Entry, Kind
from builder.pack.arrange import arrange
from builder.pack.output import write_full
from builder.tar.compression import Compression, Tally
from builder.tar.format import GNU_SPARSE
from builder.tar.member import Member
from builder.tar.read import Archive, open_archive

_STEP = 1 << 20
"""How many more bytes of an archive must have been read before it is worth telling."""


@contextmanager
def read_archive(file: BinaryIO, spool: Path, sink: Sink = discard) -> Iterator[Iterator[Entry]]:
    """The tree in the archive `file`, sorted, for as long as the block lasts; `spool` is a folder on disk.

    What stands in an archive twice is as the last member says; see `arrange` for the rest. `sink` hears how
    far it is read. Raises CompressionError and TarError for a damaged archive, PackError for one that no tree
    comes out of, and where there is no room to spool it, when the first entry is asked for.
    """
    with ExitStack() as stack:
        archive = stack.enter_context(open_archive(file))
        with _spool_errors(spool):
            spool.mkdir(parents=True, exist_ok=True)
            content = stack.enter_context(TemporaryFile(dir=spool, buffering=0))
        told = _told(_entries(archive, file, spool, content.fileno()), archive.tally, file, sink)
        yield arrange(told)


def _told(entries: Iterator[Entry], tally: Tally, file: BinaryIO, sink: Sink) -> Iterator[Entry]:
    """`entries`, and to `sink` how much of `file` was read for them."""
    total = told = 0
    with suppress(OSError):  # one that is none of the system's
        status = os.fstat(file.fileno())
        total = status.st_size if stat.S_ISREG(status.st_mode) else 0
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


def _entries(archive: Archive, file: BinaryIO, folder: Path, spool: int) -> Iterator[Entry]:
    in_place = archive.compression is Compression.NONE and file.seekable()
    spooled = 0
    for member in archive.reader:
        entry = _entry(member)
        if entry.kind is not Kind.FILE or not member.size:
            yield entry
        elif in_place and not _is_sparse(member):
            yield entry._replace(size=member.size, open=_OpenAt(file.fileno(), archive.reader.offset))
        else:
            yield entry._replace(size=member.size, open=_OpenAt(spool, spooled))
            for chunk in member.body.chunks():
                with _spool_errors(folder):
                    _append(spool, chunk)
            spooled += member.size


def _append(spool: int, chunk: bytes) -> None:
    """Zeros become a hole, so that a giant sparse file needs no disk."""
    if chunk.count(0) == len(chunk):
        os.ftruncate(spool, os.lseek(spool, len(chunk), os.SEEK_CUR))
    else:
        write_full(spool, chunk)


def _entry(member: Member) -> Entry:
    kind = member.kind
    target = member.linkname if kind is Kind.SYMLINK else b""
    return Entry(
        path=_clean_name(member.name),
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        mtime=member.mtime,
        target=_clean_name(member.linkname) if kind is Kind.HARDLINK else target,
        xattrs=member.xattrs,
        device=member.device,
    )


def _clean_name(name: bytes) -> bytes:
    """As bsdtar does it: without a leading slash, without empty parts and `.`."""
    return b"/".join(part for part in name.split(b"/") if part not in (b"", b"."))


def _is_sparse(member: Member) -> bool:
    return member.flag == GNU_SPARSE or any(key.startswith(b"GNU.sparse.") for key in member.pax)


class _OpenAt:
    """Opens the file behind the descriptor `file` anew, as each reader needs a position of its own."""

    __slots__ = ("file", "offset")

    def __init__(self, file: int, offset: int) -> None:
        self.file = file
        self.offset = offset

    def __call__(self) -> int:
        new = os.open(f"/proc/self/fd/{self.file}", os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(new, self.offset, os.SEEK_SET)
        return new
