"""The grammar of wsl.conf and wsl-distribution.conf, byte by byte as WSL reads it.

Source: microsoft/WSL src/shared/configfile/configfile.cpp:ParseConfigFile, called without
CFG_SKIP_INVALID_LINES, so that the first invalid line ends the reading. That holds up to WSL 2.9.4;
later versions skip the invalid line instead (microsoft/WSL#41606) and call an escaped carriage return
invalid (microsoft/WSL#41591). An image must suit those that are installed, so that is the reading here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

_SKIPPED = re.compile(rb"[ \t]+|\r\n|\n|\r|#[^\n]*\n?")
_SECTION = re.compile(rb"\[([A-Za-z][A-Za-z0-9]*)\][ \t]*")
_SECTION_NAME = re.compile(rb"\[([A-Za-z][A-Za-z0-9]*)?")
_KEY = re.compile(rb"([A-Za-z][A-Za-z0-9]*)[ \t]*(=[ \t]*)?")
_PIECE = re.compile(rb"(?P<blank>[ \t]+)|(?P<escape>\\.?)|(?P<text>[^ \t\\\"#\r\n]+|[\"#])", re.DOTALL)
_BREAK = re.compile(rb"\r\n|\r|\n")
_ESCAPES = {
    b"\\\\": b"\\",
    b'\\"': b'"',
    b"\\b": b"\b",
    b"\\n": b"\n",
    b"\\t": b"\t",
    b"\\\n": b"",
    b"\\\r": b"",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in a file. `line` counts as editors do, `wsl_line` as WSL does, which counts most CRLF lines
    twice. Both from 1. A value that spans lines is placed where it ends."""

    line: int
    wsl_line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """One `key = value`: `key` is "section.key" as spelled in the file, `value` what reaches WSL's setter."""

    key: str
    value: bytes
    place: Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The syntax error that ends the reading; `message` is WSL's text without the place."""

    message: str
    place: Place


class _SyntaxError(Exception):
    """Unwinds to `statements` with the text and the offset of a syntax error."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def statements(data: bytes) -> Iterator[Assignment | Fault]:
    """What WSL reads in `data`, in order; a Fault is the last. Never raises, whatever the bytes."""
    reader = _Reader(data)
    try:
        while reader.skip():
            if data[reader.offset] == ord("["):
                reader.read_section()
            else:
                yield reader.read_assignment()
    except _SyntaxError as error:
        yield Fault(message=error.message, place=reader.place(error.offset))


class _Reader:
    """A position in the bytes, and WSL's notion of section and line there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0
        self.section = b""
        self.wsl_line = 1
        self._breaks = [match.end() for match in _BREAK.finditer(data)]

    def place(self, offset: int) -> Place:
        """The place of the byte at `offset`."""
        return Place(line=1 + bisect_left(self._breaks, offset + 1), wsl_line=self.wsl_line)

    def skip(self) -> bool:
        """Pass blanks, line ends and comments; False at the end. A comment runs on over a lone CR."""
        while match := _SKIPPED.match(self.data, self.offset):
            self.offset = match.end()
            self.wsl_line += match.group().endswith(b"\n")
        return self.offset < len(self.data)

    def read_section(self) -> None:
        match = _SECTION.match(self.data, self.offset)
        if not match:
            name = _SECTION_NAME.match(self.data, self.offset)
            assert name is not None
            raise _SyntaxError("Expected ']'" if name[1] else "Invalid section name", name.end())
        if self.data[match.end() : match.end() + 1] not in (b"", b"\n", b"\r", b"#"):
            raise _SyntaxError("Expected ' ' or '\\n'", match.end())
        self.section = match[1] + b"."
        self._end_line(match.end())

    def read_assignment(self) -> Assignment:
        match = _KEY.match(self.data, self.offset)
        if not match:
            raise _SyntaxError("Invalid key name", self.offset)
        if not match[2]:
            raise _SyntaxError("Expected '='", match.end())
        value, end = self._read_value(match.end())
        assignment = Assignment(
            key=(self.section + match[1]).decode("ascii"),
            value=value.partition(b"\0")[0],
            place=self.place(end),
        )
        self._end_line(end)
        return assignment

    def _read_value(self, offset: int) -> tuple[bytes, int]:
        """The value that starts at `offset`, and where it ends. Blanks that end it unquoted are dropped."""
        value, kept, quoted = bytearray(), 0, False
        while match := _PIECE.match(self.data, offset):
            piece = match.group()
            if piece == b"#" and not quoted:
                break
            if piece == b'"':
                quoted = not quoted
            else:
                value += self._unescape(piece, offset) if match["escape"] else piece
            kept = kept if match["blank"] else len(value)
            offset = match.end()
        if quoted:
            raise _SyntaxError('Expected "', offset)
        return bytes(value[:kept]), offset

    def _unescape(self, escape: bytes, offset: int) -> bytes:
        if escape not in _ESCAPES:
            # WSL prints the end of the file as if it were a character.
            character = chr(escape[1]) if len(escape) > 1 else "\xff"
            raise _SyntaxError(f"Invalid escaped character: '{character}'", offset + 1)
        self.wsl_line += escape == b"\\\n"
        return _ESCAPES[escape]

    def _end_line(self, offset: int) -> None:
        """Pass the CR or LF that ends a section or value; the LF of a CRLF is left, and counted again."""
        ended = self.data[offset : offset + 1] in (b"\n", b"\r")
        self.offset = offset + ended
        self.wsl_line += ended
