"""Rules about passwords that are in the image."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity

_VALIDATOR = "microsoft/WSL distributions/validate-modern.py"


def _find_hashes(image: Image) -> Iterator[Hit]:
    for path in ("etc/shadow", "etc/shadow-", "etc/gshadow", "etc/gshadow-", "etc/passwd", "etc/passwd-"):
        for line in image.lines(path):
            name, _, rest = line.partition(":")
            if (password := rest.partition(":")[0]).lstrip("!").startswith(("$", "_")) or len(password) == 13:
                yield Hit(f"/{path}", f"{name!r} has a password hash")


def _find_no_password(image: Image) -> Iterator[Hit]:
    for path in ("etc/shadow", "etc/passwd"):
        for line in image.lines(path):
            fields = line.split(":")
            if len(fields) > 2 and not fields[1]:
                yield Hit(f"/{path}", f"{fields[0]!r} can log in without a password")


def _find_open_shadow(image: Image) -> Iterator[Hit]:
    for path in ("etc/shadow", "etc/gshadow", "etc/shadow-", "etc/gshadow-"):
        node = image.find(path)
        if node is not None and (node.mode & 0o137 or node.uid):
            yield Hit(
                f"/{path}", f"is {node.mode:04o} with uid {node.uid}, expected 0640, 0600 or 0000 and 0"
            )


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL207",
        severity=Severity.WARNING,
        title="The image contains a password hash",
        why="everyone who has the image can try passwords, and the one found opens every installation",
        source="https://learn.microsoft.com/windows/wsl/build-custom-distro",
        fix="lock the password with `*`",
        find=_find_hashes,
    ),
    Rule(
        id="WSL208",
        severity=Severity.WARNING,
        title="A user has an empty password",
        why="everyone can become that user",
        source="shadow(5)",
        fix="lock the password with `*`",
        find=_find_no_password,
    ),
    Rule(
        id="WSL209",
        severity=Severity.WARNING,
        title="Others can read or change /etc/shadow",
        why="password hashes that are set later become readable",
        source=_VALIDATOR,
        fix="make it 0640 root:shadow",
        find=_find_open_shadow,
    ),
)
