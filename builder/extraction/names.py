"""Names of members: what bsdtar cuts off them, and how they are shown."""

from __future__ import annotations


def split_name(name: bytes) -> list[bytes]:
    """The components of `name` as bsdtar and libarchive normalise it; `..` stays, which they refuse."""
    return [part for part in strip_absolute(name).split(b"/") if part not in (b"", b".")]


def is_altered(name: bytes) -> bool:
    """Whether bsdtar cuts more off `name` than its leading slashes."""
    return strip_absolute(name) != name.lstrip(b"/") and not name.startswith((b"/./", b"//./"))


def strip_absolute(name: bytes) -> bytes:
    """`name` without what bsdtar's strip_absolute_path cuts off its beginning.

    That is `//?/` and `//./`, a drive letter, and slashes and backslashes together with `.` and `..` between
    them.
    """
    if name[:4] in (b"//?/", b"//./"):
        name = name[4:]
    if len(name) > 1 and name[1:2] == b":" and name[:1].isalpha():
        name = name[2:]
    while name[:1] in (b"/", b"\\") and name:
        if name[1:3] == b".." and name[3:4] in (b"/", b"\\") and len(name) > 3:
            name = name[3:]
        elif name[1:2] == b"." and name[2:3] in (b"/", b"\\") and len(name) > 2:
            name = name[2:]
        else:
            name = name[1:]
    return name


def show(path: bytes) -> str:
    """`path` for people: what is not printable as an escape."""
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
