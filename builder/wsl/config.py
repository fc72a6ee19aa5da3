"""What WSL makes of a configuration file: which keys reach it, what they come to, and what it warns of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from builder.wsl.grammar import Assignment, Fault, Place, statements
from builder.wsl.keys import INT_MAX, ConfigFile, Key, KeyType, Value, find_key, keys_of

_TRUE = (b"1", b"true")
_FALSE = (b"0", b"false")
_INTEGER = re.compile(rb"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigWarning:
    """`message` is the English text that WSL prints after "wsl: ", with its own count of lines in it."""

    line: int
    wsl_line: int
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What one key comes to; `line` is where it was set, 0 when the default holds."""

    key: Key
    value: Value
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedConfig:
    """A file as WSL reads it.

    `entries` is every (key, value) that reaches WSL's setter, in file order and as spelled there, unknown,
    duplicate and invalid ones included. `settings` has one row for each key of the file, in table order.
    `stopped` says that a syntax error, the last warning, made WSL ignore the rest of the file.
    """

    file: ConfigFile
    entries: tuple[tuple[str, bytes], ...]
    settings: tuple[Setting, ...]
    warnings: tuple[ConfigWarning, ...]
    stopped: bool

    @property
    def effective(self) -> dict[str, Value]:
        """The typed value of each key after defaults, by its name in WSL's spelling."""
        return {setting.key.name: setting.value for setting in self.settings}


def parse_config(data: bytes, file: ConfigFile) -> ParsedConfig:
    """Read `data` as the WSL file `file`. Never raises, whatever the bytes.

    WSL reads wsl-distribution.conf twice, at import and at the first start, each time for a part of the keys;
    both readings are merged here. Sources: microsoft/WSL src/shared/configfile/configfile.cpp:SetConfig and
    ConfigKey::Parse; the texts are those of localization/strings/en-US/Resources.resw.
    """
    reading = _Reading(file)
    stopped = False
    for statement in statements(data):
        if isinstance(statement, Fault):
            reading.warn(statement.message, statement.place)
            stopped = True
        else:
            reading.set(statement)
    return ParsedConfig(
        file=file,
        entries=tuple(reading.entries),
        settings=tuple(reading.setting(key) for key in keys_of(file)),
        warnings=tuple(reading.warnings),
        stopped=stopped,
    )


def read_value(key: Key, value: bytes) -> Value:
    """`value` as the type of `key`, exactly as WSL converts it; raises ValueError when WSL refuses it.

    Integers are strtol's with base 0 in the range of int: 0x1f is hexadecimal, 022 is octal, "08" is refused.
    """
    if key.type is KeyType.BOOL:
        return _read_bool(value)
    if key.type is KeyType.INT:
        return _read_int(value)
    if key.type is KeyType.ENUM:
        return _read_word(value, key.choices)
    return text(value)


def text(value: bytes) -> str:
    """`value` as UTF-8; other bytes become surrogate escapes (PEP 383)."""
    return value.decode("utf-8", "surrogateescape")


def _read_bool(value: bytes) -> bool:
    if value.lower() not in _TRUE + _FALSE:
        raise ValueError(value)
    return value.lower() in _TRUE


def _read_int(value: bytes) -> int:
    match = _INTEGER.fullmatch(value)
    if not match:
        raise ValueError(value)
    sign, hexadecimal, octal, decimal = match.groups()
    digits, base = next((d, b) for d, b in ((hexadecimal, 16), (octal, 8), (decimal, 10)) if d)
    if len(digits.lstrip(b"0")) > 11:  # beyond int in every base, and int() refuses thousands of digits
        raise ValueError(value)
    number = int(sign + digits, base)
    if not -INT_MAX - 1 <= number <= INT_MAX:
        raise ValueError(value)
    return number


def _read_word(value: bytes, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if value.lower() == choice.encode():
            return choice
    raise ValueError(value)


_REFUSALS: dict[KeyType, Callable[[str, str, Key], tuple[str, str]]] = {
    KeyType.BOOL: lambda value, name, _: (f"Invalid boolean value '{value}' for key '{name}'", ""),
    KeyType.INT: lambda value, name, _: (f"Invalid integer value '{value}' for key '{name}'", ""),
    KeyType.ENUM: lambda value, name, key: (
        f"Invalid value '{value}' for config key '{name}'",
        f" (Valid values: {', '.join(key.choices)})",
    ),
}


class _Reading:
    """WSL's table of keys while it reads a file: each key is set once, by its first assignment."""

    def __init__(self, file: ConfigFile) -> None:
        self.file = file
        self.entries: list[tuple[str, bytes]] = []
        self.warnings: list[ConfigWarning] = []
        self._first: dict[str, Assignment] = {}
        self._values: dict[str, Value] = {}

    def set(self, assignment: Assignment) -> None:
        self.entries.append((assignment.key, assignment.value))
        key = find_key(self.file, assignment.key)
        if key is None:
            self.warn(f"Unknown key '{assignment.key}'", assignment.place)
        elif first := self._first.get(key.name):
            conflict = f"'{first.key}' in {self.file.path}:{first.place.wsl_line}"
            self.warn(
                f"Duplicated config key '{assignment.key}'",
                assignment.place,
                f" (Conflicting key: {conflict})",
            )
        else:
            self._first[key.name] = assignment
            self._convert(key, assignment)

    def setting(self, key: Key) -> Setting:
        if key.name not in self._values:
            return Setting(key=key, value=key.default, line=0)
        return Setting(key=key, value=self._values[key.name], line=self._first[key.name].place.line)

    def warn(self, message: str, place: Place, suffix: str = "") -> None:
        message = f"{message} in {self.file.path}:{place.wsl_line}{suffix}"
        self.warnings.append(ConfigWarning(line=place.line, wsl_line=place.wsl_line, message=message))

    def _convert(self, key: Key, assignment: Assignment) -> None:
        try:
            self._values[key.name] = read_value(key, assignment.value)
        except ValueError:
            message, suffix = _REFUSALS[key.type](text(assignment.value), assignment.key, key)
            self.warn(message, assignment.place, suffix)
