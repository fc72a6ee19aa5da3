"""Rules about the shells and homes of users."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity

_USERS = "/etc/passwd"
_FIELDS = 7
_FIRST_USER = 1000
_NOBODY = 65534


def _people(image: Image) -> Iterator[tuple[str, ...]]:
    for user in image.users:
        if len(user) == _FIELDS and user[2].isdecimal():
            uid = int(user[2])
            if uid == 0 or _FIRST_USER <= uid < _NOBODY:
                yield user


def _find_no_shell(image: Image) -> Iterator[Hit]:
    for user in _people(image):
        shell = user[6] or "/bin/sh"
        if image.find(shell) is None:
            yield Hit(_USERS, f"the shell {shell} of {user[0]!r} does not exist")


def _find_no_home(image: Image) -> Iterator[Hit]:
    for user in _people(image):
        if image.find(user[5]) is None:
            yield Hit(_USERS, f"the home {user[5]!r} of {user[0]!r} does not exist")


def _find_foreign_home(image: Image) -> Iterator[Hit]:
    for user in _people(image):
        node = image.find(user[5])
        if node is not None and user[5] not in ("", "/") and str(node.uid) != user[2]:
            yield Hit(user[5], f"belongs to uid {node.uid}, expected {user[2]} ({user[0]})")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL210",
        severity=Severity.ERROR,
        title="The shell of a user does not exist",
        why="WSL cannot start a session for that user",
        source="microsoft/WSL src/linux/init/config.cpp:CreateLoginSession",
        fix="install the shell or name another",
        find=_find_no_shell,
    ),
    Rule(
        id="WSL211",
        severity=Severity.WARNING,
        title="The home of a user does not exist",
        why="sessions begin in / and programs fail to keep their settings",
        source="microsoft/WSL src/linux/init/config.cpp",
        fix="create it from /etc/skel",
        find=_find_no_home,
    ),
    Rule(
        id="WSL212",
        severity=Severity.WARNING,
        title="The home of a user belongs to somebody else",
        why="the user cannot write there",
        source="passwd(5)",
        fix="change its owner",
        find=_find_foreign_home,
    ),
)
