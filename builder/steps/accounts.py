"""Pure editors of the account files: passwd(5), group(5), shadow(5), gshadow(5).

Each makes one line what it should be, in its place if the name is there already, else at the end, and
leaves every other byte alone. Applying one twice changes nothing more.
"""

from __future__ import annotations

from builder.core.errors import ExecuteError
from builder.steps.lines import join_lines, split_lines

Arguments = tuple[str, ...]


def edit_passwd(old: bytes | None, arguments: Arguments) -> bytes:
    """arguments: name, uid, gid, comment, home, shell. Raises ExecuteError if the uid is another's."""
    name, uid, gid, comment, home, shell = arguments
    _refuse_taken(old, "/etc/passwd", name, uid, "uid")
    return _put_line(old, name, (name, "x", uid, gid, comment, home, shell))


def edit_shadow(old: bytes | None, arguments: Arguments) -> bytes:
    """arguments: name, password field, day of its last change since the epoch."""
    name, password, day = arguments
    return _put_line(old, name, (name, password, day, "0", "99999", "7", "", "", ""))


def edit_group(old: bytes | None, arguments: Arguments) -> bytes:
    """arguments: name, gid. Members stay. Raises ExecuteError if the gid is another's."""
    name, gid = arguments
    _refuse_taken(old, "/etc/group", name, gid, "gid")
    present = _find(old, name)
    members = present[3] if present is not None and len(present) > 3 else ""
    return _put_line(old, name, (name, "x", gid, members))


def edit_gshadow(old: bytes | None, arguments: Arguments) -> bytes:
    """arguments: name. A group that is there already stays as it is."""
    (name,) = arguments
    present = _find(old, name)
    return _put_line(old, name, tuple(present) if present is not None else (name, "!", "", ""))


def add_group_member(old: bytes | None, arguments: Arguments) -> bytes:
    """arguments: group, member. Raises ExecuteError if there is no such group."""
    group, member = arguments
    if _find(old, group) is None:
        raise ExecuteError(
            f"there is no group {group}, of which {member} shall be a member",
            where="/etc/group",
            fix="name it under groups of the users step, or install the package that makes it first",
        )
    return _add_member(old, group, member)


def add_gshadow_member(old: bytes | None, arguments: Arguments) -> bytes:
    """arguments: group, member. Where gshadow does not hold the group, its line is made."""
    group, member = arguments
    return _add_member(edit_gshadow(old, (group,)), group, member)


def _add_member(old: bytes | None, group: str, member: str) -> bytes:
    present = [*(_find(old, group) or [group]), "", "", ""][:4]
    members = [name for name in present[3].split(",") if name]
    if member not in members:
        members.append(member)
    return _put_line(old, group, (*present[:3], ",".join(members)))


def _find(old: bytes | None, name: str) -> list[str] | None:
    rows = (line.split(":") for line in split_lines(old))
    return next((row for row in rows if row[0] == name), None)


def _refuse_taken(old: bytes | None, where: str, name: str, number: str, label: str) -> None:
    rows = (line.split(":") for line in split_lines(old))
    taken = next((row[0] for row in rows if len(row) > 2 and row[2] == number and row[0] != name), None)
    if taken is not None:
        raise ExecuteError(
            f"the {label} {number} of {name} belongs to {taken} already",
            where=where,
            fix=f"choose another {label} in the users step",
        )


def _put_line(old: bytes | None, name: str, fields: tuple[str, ...]) -> bytes:
    line = ":".join(fields)
    lines = split_lines(old)
    if _find(old, name) is None:
        return join_lines([*lines, line])
    return join_lines([line if present.split(":")[0] == name else present for present in lines])
