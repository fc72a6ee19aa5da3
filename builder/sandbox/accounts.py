"""Finds a user in the image's own passwd and group files, as Docker's USER does.

Not through the C library: its name services would load libraries of the image into this process.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Account:
    """Numbers and home directory that a command runs with."""

    def __init__(self, uid: int, gid: int, groups: tuple[int, ...], home: str) -> None:
        self.uid, self.gid, self.groups, self.home = uid, gid, groups, home


def find_account(user: str, etc: str = "/etc") -> Account:
    """`user` is a name or a number, perhaps with `:group`. Raises OSError for a name that is not there.

    Without a group it is the user's own one with its supplementary groups; a number that passwd does not
    have runs with group 0 and home "/".
    """
    name, _, group = user.partition(":")
    name = name or "root"
    row = _find_row(f"{etc}/passwd", name, 7)
    if row is None and name == "root":
        row = ["root", "", "0", "0", "", "/root", ""]  # an image without accounts still has its uid 0
    if row is None and not name.isdecimal():
        raise OSError(errno.ENOENT, f"no user {name!r} in /etc/passwd of the image")
    uid = int(row[2]) if row else int(name)
    home = (row[5] if row else "") or "/"
    if group:
        return Account(uid, _find_group(group, etc), (), home)
    gid = int(row[3]) if row else 0
    return Account(uid, gid, _supplementary(row[0], gid, etc) if row else (gid,), home)


def _find_group(group: str, etc: str) -> int:
    row = _find_row(f"{etc}/group", group, 4)
    if row is None and not group.isdecimal():
        raise OSError(errno.ENOENT, f"no group {group!r} in /etc/group of the image")
    return int(row[2]) if row else int(group)


def _supplementary(name: str, gid: int, etc: str) -> tuple[int, ...]:
    rows = _rows(f"{etc}/group", 4)
    return tuple(sorted({gid, *(int(row[2]) for row in rows if name in row[3].split(","))}))


def _find_row(path: str, name: str, fields: int) -> list[str] | None:
    """The row of that name, else that number."""
    rows = list(_rows(path, fields))
    by_name = (row for row in rows if row[0] == name)
    by_number = (row for row in rows if name.isdecimal() and int(row[2]) == int(name))
    return next(by_name, None) or next(by_number, None)


def _rows(path: str, fields: int) -> Iterator[list[str]]:
    if not os.path.isfile(path):
        return
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            row = line.rstrip("\n").split(":")
            if len(row) >= fields and row[2].isdecimal():
                yield row
