"""Paths of a catalog as tags of a registry, and back: pure.

A tag has up to 128 letters, digits, `.`, `-` and `_` (OCI distribution specification, "Pulling manifests").
`/` is written `__`, anything else that a tag cannot have as `_` and two hexadecimal digits. What is too long
ends in `_h` and a digest; only the file itself then says its path.
"""

from __future__ import annotations

import re

from builder.core.digests import sha256_bytes

_LONGEST = 128
_MARK = "_h"
_DIGITS = 32
_KEPT = _LONGEST - len(_MARK) - _DIGITS
_SHORTENED = re.compile(rf".*{_MARK}[0-9a-f]{{{_DIGITS}}}")
_ESCAPE = re.compile(r"_(_|[0-9a-f]{2})")


def tag_of(path: str) -> str:
    """The tag of the file `path`."""
    tag = _escape(path)
    if len(tag) <= _LONGEST:
        return tag
    return f"{tag[:_KEPT]}{_MARK}{sha256_bytes(path.encode())[:_DIGITS]}"


def path_of(tag: str) -> str:
    """The path whose tag is `tag`, "" where the tag alone does not tell."""
    if is_shortened(tag):
        return ""
    data = _ESCAPE.sub(lambda found: "/" if found[1] == "_" else chr(int(found[1], 16)), tag)
    return data.encode("latin-1").decode("utf-8", "replace")


def is_shortened(tag: str) -> bool:
    """Whether `tag` is that of a path that is too long for one."""
    return len(tag) == _LONGEST and _SHORTENED.fullmatch(tag) is not None


def may_be_below(tag: str, prefix: str) -> bool:
    """Whether the file of a shortened `tag` can be below the folder `prefix`."""
    return tag[:_KEPT].startswith(_escape(prefix)[:_KEPT])


def _escape(path: str) -> str:
    return "".join(map(_escape_byte, path.encode()))


def _escape_byte(byte: int) -> str:
    character = chr(byte)
    if character == "/":
        return "__"
    plain = byte < 128 and (character.isalnum() or character in ".-")
    return character if plain else f"_{byte:02x}"
