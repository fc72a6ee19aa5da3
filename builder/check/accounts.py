"""Rules about users and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity

_USERS = "/etc/passwd"
_VALIDATOR = "microsoft/WSL distributions/validate-modern.py"
_FIELDS = 7


def _find_no_passwd(image: Image) -> Iterator[Hit]:
    if image.find("etc/passwd") is None:
        yield Hit(_USERS, "is missing")


def _find_no_root(image: Image) -> Iterator[Hit]:
    if image.users and not any(user[0] == "root" and user[2:3] == ("0",) for user in image.users):
        yield Hit(_USERS, "has no user root with uid 0")


def _find_other_root(image: Image) -> Iterator[Hit]:
    for user in image.users:
        if user[2:3] == ("0",) and user[0] != "root":
            yield Hit(_USERS, f"user {user[0]!r} has uid 0")


def _find_malformed(image: Image) -> Iterator[Hit]:
    for user in image.users:
        if len(user) != _FIELDS or not user[2].isdecimal() or not user[3].isdecimal():
            yield Hit(_USERS, f"the line of {user[0]!r} is not NAME:x:UID:GID:GECOS:HOME:SHELL")


def _repeated(image: Image, field: int) -> list[str]:
    counts = Counter(user[field] for user in image.users if len(user) > field)
    return sorted(value for value, count in counts.items() if count > 1)


def _find_same_uid(image: Image) -> Iterator[Hit]:
    yield from (Hit(_USERS, f"uid {uid} belongs to several users") for uid in _repeated(image, 2))


def _find_same_name(image: Image) -> Iterator[Hit]:
    yield from (Hit(_USERS, f"user {name!r} is there several times") for name in _repeated(image, 0))


def _find_odd_tty(image: Image) -> Iterator[Hit]:
    for line in image.lines("etc/group"):
        fields = line.split(":")
        if fields[0] == "tty" and fields[2:3] != ["5"]:
            yield Hit("/etc/group", f"group tty has gid {fields[2] if len(fields) > 2 else '?'}, expected 5")


def _find_no_root_group(image: Image) -> Iterator[Hit]:
    lines = image.lines("etc/group")
    if image.find("etc/passwd") and not any(line.split(":")[2:3] == ["0"] for line in lines):
        yield Hit("/etc/group", "has no group with gid 0")


def _find_uid_taken(image: Image) -> Iterator[Hit]:
    uid = image.setting("oobe.defaultUid")
    if uid and image.setting("oobe.command") and any(user[2:3] == (str(uid),) for user in image.users):
        yield Hit(_USERS, f"uid {uid} is taken already, which oobe.command is to create")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL201",
        severity=Severity.ERROR,
        title="There is no /etc/passwd",
        why="WSL can start no session: it looks users up there and nowhere else",
        source="microsoft/WSL#9649, microsoft/WSL#3903",
        fix="ship it with at least root",
        find=_find_no_passwd,
    ),
    Rule(
        id="WSL202",
        severity=Severity.ERROR,
        title="There is no root",
        why="WSL starts as uid 0 whatever the default user is",
        source=_VALIDATOR,
        fix="add `root:x:0:0:root:/root:/bin/sh`",
        find=_find_no_root,
    ),
    Rule(
        id="WSL203",
        severity=Severity.WARNING,
        title="Another user has uid 0",
        why="it is root under another name; Microsoft's list refuses it",
        source=_VALIDATOR,
        fix="remove it, or give it another uid",
        find=_find_other_root,
    ),
    Rule(
        id="WSL204",
        severity=Severity.ERROR,
        title="A line of /etc/passwd is malformed",
        why="the user is not found, Microsoft's list refuses the image",
        source="passwd(5)",
        fix="correct the line",
        find=_find_malformed,
    ),
    Rule(
        id="WSL205",
        severity=Severity.WARNING,
        title="Two users share a uid",
        why="whose name is shown is chance; Microsoft's list refuses it",
        source=_VALIDATOR,
        fix="give each its own",
        find=_find_same_uid,
    ),
    Rule(
        id="WSL206",
        severity=Severity.WARNING,
        title="A user is there twice",
        why="only the first line counts",
        source="passwd(5)",
        fix="remove one",
        find=_find_same_name,
    ),
    Rule(
        id="WSL213",
        severity=Severity.WARNING,
        title="The group tty does not have gid 5",
        why="WSL mounts devpts with gid=5: terminals belong to another group",
        source="microsoft/WSL src/linux/init/config.cpp:ConfigInitializeCommon",
        fix="give tty the gid 5",
        find=_find_odd_tty,
    ),
    Rule(
        id="WSL214",
        severity=Severity.WARNING,
        title="There is no group with gid 0",
        why="programs that look up the group of root fail",
        source="https://github.com/nix-community/NixOS-WSL",
        fix="add `root:x:0:`",
        find=_find_no_root_group,
    ),
    Rule(
        id="WSL215",
        severity=Severity.INFO,
        title="The uid of the first user is taken",
        why="oobe.command has to cope with a user that exists",
        source=_VALIDATOR,
        fix="leave the user to oobe.command, or drop oobe.command",
        find=_find_uid_taken,
    ),
)
