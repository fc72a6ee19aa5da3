"""Text in the languages that Windows administration is written in. Everything comes out as ASCII."""

from __future__ import annotations

import re
import struct
from xml.sax.saxutils import quoteattr

from builder.core.errors import UsageError

_PLAIN = re.compile(r"[ -~]*")
_PART = re.compile(r"[ -~]+|[^ -~]")
_VARIABLE = re.compile(r"%(CD|(?![0-9A-F]{2})[^%/]+)%", re.IGNORECASE)


def powershell(text: str) -> str:
    """An expression that is `text`: single quotes, in which nothing is expanded, and [char] for everything
    beyond ASCII, since Windows PowerShell reads files without a byte order mark in a code page, and takes
    typographic quotes for quotes (about_Quoting_Rules)."""
    parts = [_powershell_part(part) for part in _PART.findall(text)]
    return (
        "''"
        if not parts
        else parts[0]
        if len(parts) == 1 and parts[0][0] == "'"
        else f"('' + {' + '.join(parts)})"
    )


def registry(text: str) -> str:
    """A string of a .reg file with its quotes. Raises UsageError for what such a file cannot hold."""
    return '"' + _require_plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def command_line(text: str, *, in_file: bool) -> str:
    """An argument of a program for cmd.exe, which leaves text between double quotes alone but for `%`: in
    a batch file (`in_file`) two are one, at a prompt nothing keeps it from taking `%NAME%` for a variable.
    Raises UsageError for what cannot be said."""
    if '"' in _require_plain(text):
        raise UsageError(f'{text!r} has a ", which no command line can pass on', fix="choose another")
    # A backslash before the closing quote would escape it (CommandLineToArgvW).
    backslashes = len(text) - len(text.rstrip("\\"))
    if not in_file and (variable := _VARIABLE.search(text)):
        raise UsageError(
            f"{text!r} has {variable.group()}, which a prompt replaces by what the variable holds",
            fix="write %25 for a % in an address",
        )
    return '"' + (text.replace("%", "%%") if in_file else text) + "\\" * backslashes + '"'


def xml_attribute(text: str) -> str:
    """The value of an attribute with its quotes, ASCII. Raises UsageError for control characters."""
    if any(ord(character) < 32 for character in text):
        raise UsageError(f"{text!r} has control characters", fix="leave them out")
    return quoteattr(text).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _powershell_part(part: str) -> str:
    if _PLAIN.fullmatch(part):
        return "'" + part.replace("'", "''") + "'"
    units = struct.unpack(f"<{len(part.encode('utf-16-le')) // 2}H", part.encode("utf-16-le"))
    return " + ".join(f"[char]0x{unit:04X}" for unit in units)


def _require_plain(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        raise UsageError(f"{text!r} has characters beyond ASCII", fix="escape them: %XX in an address")
    return text
