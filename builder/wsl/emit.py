"""The one writer of wsl.conf and wsl-distribution.conf.

Its output means the same to every WSL since 2.4.4 and, wherever WSL's grammar leaves the choice, to Python's
configparser, with which Microsoft's validator reads it: ASCII, LF, each section and key once, no comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from builder.core.errors import ExitCode, WslimgError
from builder.wsl.keys import ConfigFile, Key, KeyType, Value, find_key, keys_of, validator_accepts
from builder.wsl.names import refuse_name

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\n": "\\n", "\t": "\\t"}
_INEXPRESSIBLE = re.compile(r"[^\x20-\x7e\b\n\t]")
_NEEDS_QUOTES = re.compile(r'["\\#\b\n\t]|^ | $')


class SettingError(WslimgError, ValueError):
    """Settings that no configuration file can hold. Carries every refusal, one a line."""

    exit_code = ExitCode.USAGE


def emit_config(settings: Mapping[str, Value], file: ConfigFile) -> bytes:
    """The content of `file` for `settings`, which map "section.key" to a typed value, in their order.

    Reading the result back gives the same values. Keys may be spelled in any case and are written as WSL
    spells them; None leaves a key out. `boot.systemd` is left out when false, the default, because the
    validator takes any value of it for true. Raises SettingError for unknown and repeated keys, values of
    the wrong type or range, and text that the grammar cannot express.
    """
    rows, refusals = _sort_out(settings, file)
    if refusals:
        raise SettingError("\n".join(refusals), where=file.path)
    sections: dict[str, list[str]] = {}
    for key, value in rows:
        section, _, name = key.name.partition(".")
        sections.setdefault(section, []).append(f"{name} = {_render(key, value)}".rstrip(" "))
    return "\n".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items()).encode(
        "ascii"
    )


def refuse_value(key: Key, value: Value) -> str:
    """Why `value` cannot be written for `key`; empty when it can."""
    if key.type is KeyType.BOOL:
        return "" if isinstance(value, bool) else f"expected true or false, found {value!r}"
    if key.type is KeyType.INT:
        return _refuse_integer(key, value)
    if not isinstance(value, str):
        return f"expected text, found {value!r}"
    if key.type is KeyType.ENUM:
        known = value.lower() in key.choices
        return "" if known else f"expected one of {', '.join(key.choices)}, found {value!r}"
    return _refuse_text(key, value)


def doubt_settings(settings: Mapping[str, Value], file: ConfigFile) -> tuple[str, ...]:
    """Where Microsoft's validator disagrees with WSL about settings that `emit_config` writes.

    It knows fewer keys, and its configparser keeps quotes and fails on `%`.
    Source: microsoft/WSL distributions/validate-modern.py.
    """
    doubts = []
    for key, value in _sort_out(settings, file)[0]:
        if not validator_accepts(file, key.name):
            doubts.append(f"{key.name}: Microsoft's validator does not know this key and reports an error")
        rendered = _render(key, value)
        if rendered.startswith('"'):
            doubts.append(
                f"{key.name}: needs quotes for WSL, which Microsoft's validator takes for the value"
            )
        if "%" in rendered:
            doubts.append(f"{key.name}: '%' makes Microsoft's validator fail")
    return tuple(doubts)


def _sort_out(settings: Mapping[str, Value], file: ConfigFile) -> tuple[list[tuple[Key, Value]], list[str]]:
    """The rows to write, and why others cannot be."""
    rows: dict[str, tuple[Key, Value]] = {}
    refusals = []
    for name, value in settings.items():
        key = find_key(file, name)
        if key is None:
            refusals.append(f"{name}: is not a key of {file.value}, expected one of {_known(file)}")
        elif key.name in rows:
            refusals.append(f"{name}: is given twice")
        elif value is None or (key.name == "boot.systemd" and value is False):
            continue
        elif refusal := refuse_value(key, value):
            refusals.append(f"{name}: {refusal}")
        else:
            rows[key.name] = (key, value)
    return list(rows.values()), refusals


def _known(file: ConfigFile) -> str:
    return ", ".join(key.name for key in keys_of(file))


def _refuse_integer(key: Key, value: Value) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"expected a whole number, found {value!r}"
    if not key.minimum <= value <= key.maximum:
        return f"expected {_digits(key, key.minimum)} to {_digits(key, key.maximum)}, found {value}"
    return ""


def _refuse_text(key: Key, value: str) -> str:
    if match := _INEXPRESSIBLE.search(value):
        return f"contains {match.group()!r}, which cannot be expressed: use printable ASCII"
    if key.type is KeyType.NAME and (refusal := refuse_name(value)):
        return refusal
    if key.type is KeyType.PATH and ".." in value:
        return f"{value!r} contains '..', for which WSL ignores the path"
    return ""


def _render(key: Key, value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _digits(key, value)
    assert isinstance(value, str)
    return value.lower() if key.type is KeyType.ENUM else _quote(value)


def _digits(key: Key, value: int) -> str:
    return f"0{value:03o}" if key.octal else str(value)


def _quote(value: str) -> str:
    if not _NEEDS_QUOTES.search(value):
        return value
    return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'
