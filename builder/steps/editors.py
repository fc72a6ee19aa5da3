"""The editors that an Edit can name: pure functions from a file's old content to its new one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from builder.steps import accounts
from builder.steps.lines import join_lines, split_lines

Editor = Callable[[bytes | None, tuple[str, ...]], bytes]
"""(old content or None where there is no file, arguments) -> new content. Raises ExecuteError."""


def set_assignment(old: bytes | None, arguments: tuple[str, ...]) -> bytes:
    """arguments: key, value. Sets `KEY=value` in a file of shell assignments such as os-release(5): the
    first line of that key is replaced, further ones go, a missing one is appended."""
    key, value = arguments
    quoted = value if re.fullmatch(r"[A-Za-z0-9._-]+", value) else _quote(value)
    return _replace_lines(old, lambda line: line.partition("=")[0].strip() == key, f"{key}={quoted}")


def ensure_line(old: bytes | None, arguments: tuple[str, ...]) -> bytes:
    """arguments: line. Appends the line unless the file has it."""
    (line,) = arguments
    return _replace_lines(old, lambda present: present == line, line)


def set_ini(old: bytes | None, arguments: tuple[str, ...]) -> bytes:
    """arguments: section, key, value. Sets `key=value` in `[section]`, which is appended where missing."""
    section, key, value = arguments
    lines = split_lines(old)
    start = next((index for index, line in enumerate(lines) if line.strip() == f"[{section}]"), None)
    if start is None:
        return join_lines([*lines, f"[{section}]", f"{key}={value}"])
    end = next((i for i in range(start + 1, len(lines)) if lines[i].lstrip().startswith("[")), len(lines))
    body = _replace(
        lines[start + 1 : end], lambda line: line.partition("=")[0].strip() == key, f"{key}={value}"
    )
    return join_lines([*lines[: start + 1], *body, *lines[end:]])


def _quote(value: str) -> str:
    """Double quotes, as os-release(5) wants them."""
    return '"' + re.sub(r'(["\\$`])', r"\\\1", value) + '"'


def _replace_lines(old: bytes | None, chosen: Callable[[str], bool], line: str) -> bytes:
    return join_lines(_replace(split_lines(old), chosen, line))


def _replace(lines: list[str], chosen: Callable[[str], bool], line: str) -> list[str]:
    """`lines` with `line` in place of the first chosen one, or at the end; other chosen ones are gone."""
    places = [index for index, present in enumerate(lines) if chosen(present)]
    if not places:
        return [*lines, line]
    kept = [present for index, present in enumerate(lines) if index not in places[1:]]
    kept[places[0]] = line
    return kept


EDITORS: Mapping[str, Editor] = MappingProxyType(
    {
        "passwd": accounts.edit_passwd,
        "shadow": accounts.edit_shadow,
        "group": accounts.edit_group,
        "gshadow": accounts.edit_gshadow,
        "group-member": accounts.add_group_member,
        "gshadow-member": accounts.add_gshadow_member,
        "assignment": set_assignment,
        "line": ensure_line,
        "ini": set_ini,
    }
)
