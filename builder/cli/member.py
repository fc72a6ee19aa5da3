"""Fetches one small file out of an image."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from pathlib import Path

from builder.core.errors import CheckError
from builder.model.entry import Kind
from builder.tar.member import Member
from builder.tar.read import open_archive_file

_MAX_SIZE = 1 << 20
_MAX_LINKS = 40


@dataclass(kw_only=True, slots=True)
class _Scan:
    """What one pass over an archive saw: the last content of one path, and all links."""

    content: bytes | None = None
    links: dict[str, str] = field(default_factory=dict)


def read_member(image: Path, path: str) -> bytes:
    """The content of the absolute `path` in `image`, at most 1 MiB.

    Links are followed inside the image, as WSL does after its chroot; that takes a second pass. Raises
    OSError, TarError and CompressionError when the image cannot be read and CheckError when it has no such
    file or one that is too large.
    """
    scan = _scan(image, path)
    target = _resolve(path, scan.links)
    if target != path:
        scan = _scan(image, target)
    if scan.content is None:
        leads = "" if target == path else f", to which {path} leads"
        raise CheckError(f"has no file {target}{leads}", where=str(image))
    return scan.content


def _scan(image: Path, path: str) -> _Scan:
    scan = _Scan()
    with open_archive_file(image) as archive:
        for member in archive.reader:
            name = _absolute(member.name)
            scan.links.pop(name, None)
            if member.kind in (Kind.SYMLINK, Kind.HARDLINK):
                scan.links[name] = _target(member)
            if name == path:
                scan.content = _content(member, image) if member.kind is Kind.FILE else None
    return scan


def _content(member: Member, image: Path) -> bytes:
    if member.size > _MAX_SIZE:
        raise CheckError(f"{_absolute(member.name)} has {member.size} bytes", where=str(image))
    return b"".join(member.body.chunks())


def _target(member: Member) -> str:
    """Where a link leads: a hard link names a path from the root of the archive."""
    if member.kind is Kind.HARDLINK:
        return _absolute(member.linkname)
    return member.linkname.decode("utf-8", "surrogateescape")


def _absolute(name: bytes) -> str:
    return posixpath.normpath("/" + name.decode("utf-8", "surrogateescape").lstrip("/"))


def _resolve(path: str, links: dict[str, str]) -> str:
    """`path` without links in any of its parts; a path in a circle of links is returned as it came."""
    done, left = "/", path.strip("/").split("/")
    for _ in range(_MAX_LINKS * len(left)):
        if not left:
            return done
        part = left.pop(0)
        here = posixpath.normpath(posixpath.join(done, part))
        if here in links:
            target = links[here]
            done = "/" if target.startswith("/") else done
            left = target.strip("/").split("/") + left
        else:
            done = here
    return path
