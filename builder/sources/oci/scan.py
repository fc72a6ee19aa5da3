"""An uncompressed tar archive as entries that open where their content lies in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from builder.core.errors import ResolveError
from builder.model.entry import Entry, Identity, Kind
from builder.sources.oci.unfold import read_pieces
from builder.tar.format import GNU_SPARSE
from builder.tar.member import Member
from builder.tar.parse import TarError
from builder.tar.read import TarReader, judge_end

# Marks of overlayfs belong to the layer they were made in, labels to the host's policy.
_FOREIGN_XATTRS = (b"trusted.overlay.", b"user.overlay.", b"security.selinux")


def scan_tar(path: Path, digest: str, where: str, *, whole: bool = False) -> Iterator[Entry]:
    """The members of the archive `path` in its order, which has the digest `digest`. Raises ResolveError,
    with `whole` also where the archive does not say that it ends, as layers of images need not.

    Paths and the targets of HARDLINKs are normal: relative, without `.` and `..`. A file opens as long as
    the archive is there. Names of users and groups are dropped: they are those of another machine.
    """
    pieces = read_pieces(path)
    reader = TarReader(pieces)
    try:
        start = 0
        for member in reader:
            yield _entry(member, path, digest, start, reader.offset)
            member.body.close()
            start = reader.offset
    except TarError as error:
        raise ResolveError(error.message, where=f"{where}, {error.where}", fix=error.fix) from None
    finally:
        pieces.close()
    found, fix = judge_end(reader.problems)
    if whole and fix:
        raise ResolveError(found, where=where, fix=fix)


def normalise(name: bytes) -> bytes:
    """`name` relative to the root, above which nothing leads."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def _entry(member: Member, path: Path, digest: str, start: int, content: int) -> Entry:
    """The entry that `member` is; its headers begin at `start`, its content at `content`."""
    kind = member.kind
    size = member.size if kind is Kind.FILE else 0
    return Entry(
        path=normalise(member.name),
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        mtime=member.mtime,
        size=size,
        target=_target(member, kind),
        xattrs=tuple(pair for pair in member.xattrs if not pair[0].startswith(_FOREIGN_XATTRS)),
        device=member.device if kind in (Kind.CHAR, Kind.BLOCK) else (0, 0),
        open=_opener(member, path, start, content) if size else None,
        identity=Identity(digest, b"@%d" % start) if kind is Kind.FILE else None,
    )


def _target(member: Member, kind: Kind) -> bytes:
    if kind is Kind.HARDLINK:
        return normalise(member.linkname)
    return member.linkname if kind is Kind.SYMLINK else b""


def _opener(member: Member, path: Path, start: int, content: int) -> partial[int]:
    sparse = member.flag == GNU_SPARSE or any(key.startswith(b"GNU.sparse.") for key in member.pax)
    return partial(_open_sparse, path, start) if sparse else partial(_open_at, path, content)


def _open_at(path: Path, offset: int) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return descriptor


def _open_sparse(path: Path, start: int) -> int:
    """A file with holes is stored in pieces: it is put together in an unnamed file beside the archive."""
    with tempfile.TemporaryFile(dir=path.parent) as whole, path.open("rb") as file:
        file.seek(start)
        member = next(iter(TarReader(iter(lambda: file.read(1 << 20), b""))))
        for chunk in member.body.chunks():
            if chunk.count(0) == len(chunk):
                whole.seek(len(chunk), os.SEEK_CUR)
            else:
                whole.write(chunk)
        whole.truncate(member.size)
        whole.seek(0)
        return os.dup(whole.fileno())
