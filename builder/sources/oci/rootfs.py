"""Finds the root file system in an archive: at its top, or in a folder that somebody wrapped it into."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from builder.core.errors import ResolveError
from builder.model.entry import Entry, Kind
from builder.sources.oci.scan import normalise

_DEEPEST = 3
_EXPORT_MARK = b".dockerenv"
# What an engine lays over every container: of these, files that are empty and executable are its own.
_EXPORT_FILES = (b"etc/hosts", b"etc/hostname", b"etc/resolv.conf", b"dev/console")


def find_root(names: set[bytes], wanted: str, where: str) -> str:
    """The folder that is the root, "" for the top. `names` are all paths of the archive, `wanted` is what
    the recipe says. Raises ResolveError if none or several fit."""
    if wanted:
        root = normalise(wanted.encode()).decode()
        if not _is_root(root.encode(), names):
            raise ResolveError(f"has no root file system in {wanted}: no etc and no bin or usr", where=where)
        return root
    _refuse_image(names, where)
    if _is_root(b"", names):
        return ""
    folders = {b"/".join(name.split(b"/")[:depth]) for name in names for depth in range(1, _DEEPEST + 1)}
    found = sorted(folder for folder in folders if _is_root(folder, names))
    outermost = [folder for folder in found if not any(folder.startswith(each + b"/") for each in found)]
    if len(outermost) != 1:
        raise _not_found(names, outermost, where)
    return outermost[0].decode(errors="surrogateescape")


def take_root(entries: Iterable[Entry], root: str) -> Iterator[Entry]:
    """The entries below `root`, as seen from there, without what a container engine added."""
    prefix = f"{root}/".encode(errors="surrogateescape") if root else b""
    moved = [_move(entry, prefix) for entry in entries if entry.path.startswith(prefix)]
    exported = any(entry.path == _EXPORT_MARK for entry in moved)
    for entry in moved:
        if not (exported and _is_trace(entry)):
            yield entry


def _move(entry: Entry, prefix: bytes) -> Entry:
    if not prefix:
        return entry
    target = entry.target.removeprefix(prefix) if entry.kind is Kind.HARDLINK else entry.target
    return entry._replace(path=entry.path.removeprefix(prefix), target=target)


def _is_trace(entry: Entry) -> bool:
    """Whether `docker export` shows this though it is not in the image (moby daemon/initlayer)."""
    if entry.path == _EXPORT_MARK:
        return True
    empty = entry.kind is Kind.FILE and entry.size == 0 and entry.mode == 0o755
    return empty and entry.path in _EXPORT_FILES


def _is_root(folder: bytes, names: Container[bytes]) -> bool:
    """WSL accepts what has /etc or /bin/sh (microsoft/WSL src/linux/init/main.cpp); both kinds are wanted
    here, as a folder called etc alone is in many archives."""
    prefix = folder + b"/" if folder else b""
    return prefix + b"etc" in names and any(prefix + name in names for name in (b"bin", b"usr"))


def _refuse_image(names: Container[bytes], where: str) -> None:
    if b"oci-layout" in names or (b"manifest.json" in names and b"etc" not in names):
        raise ResolveError(
            "is a container image, expected a root file system",
            where=where,
            fix="write `image: {archive: FILE}` as the source",
        )


def _not_found(names: Iterable[bytes], found: list[bytes], where: str) -> ResolveError:
    if found:
        listed = ", ".join(each.decode(errors="replace") for each in found[:5])
        return ResolveError(
            f"holds several root file systems: {listed}", where=where, fix="choose one with `root`"
        )
    tops = sorted({name.partition(b"/")[0].decode(errors="replace") for name in names if name})
    shown = ", ".join(tops[:8]) or "nothing"
    return ResolveError(f"holds no root file system with etc and usr or bin, but {shown}", where=where)
