"""Names: of distributions, and of hosts."""

from __future__ import annotations

import re
import string

from builder.wsl.limits import DISTRIBUTION_NAME, HOST_NAME

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
_RESERVED = "legacy"
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))]
)
_LETTERS_AND_DIGITS = frozenset(string.ascii_letters + string.digits)


def refuse_name(name: str) -> str:
    """Why WSL refuses `name` for a distribution; empty when it is legal.

    For oobe.defaultName WSL finds out only after the whole image has been extracted, and then answers
    E_INVALIDARG. Source: microsoft/WSL src/windows/service/exe/LxssUserSession.cpp:s_ValidateDistroName.
    """
    if not name:
        return "is empty"
    if len(name) > DISTRIBUTION_NAME:
        return f"has {len(name)} characters, WSL takes at most {DISTRIBUTION_NAME}"
    if not _LEGAL.fullmatch(name):
        wrong = "".join(sorted({character for character in name if not _LEGAL.fullmatch(character)}))
        return f"contains {wrong!r}, WSL takes only letters, digits, '.', '_' and '-'"
    if name.lower() == _RESERVED:
        return "is reserved by WSL"
    return ""


def doubt_name(name: str) -> tuple[str, ...]:
    """What Windows may do to a legal `name`, which also names a shortcut and a downloaded file.

    WSL itself looks at none of it. Source: https://learn.microsoft.com/windows/win32/fileio/naming-a-file.
    """
    doubts = []
    if name.endswith("."):
        doubts.append("ends with a dot, which Windows drops from file names")
    if name.partition(".")[0].lower() in _DEVICES:
        doubts.append("is a device of Windows, no file can have that name")
    return tuple(doubts)


def clean_hostname(name: str) -> str:
    """The host name WSL makes of network.hostname; "localhost" when nothing of `name` is left.

    Kept are ASCII letters and digits, hyphens that follow one of them, and one dot that follows one of them.
    Source: microsoft/WSL src/shared/inc/stringshared.h:CleanHostname.
    """
    result = ""
    for character in name:
        if character in _LETTERS_AND_DIGITS or _joins(result, character):
            result += character
    return result[:HOST_NAME].rstrip(".-") or "localhost"


def _joins(result: str, character: str) -> bool:
    if not result or result[-1] == "-":
        return False
    if character == ".":
        return "." not in result
    return character == "-" and result[-1] != "."
