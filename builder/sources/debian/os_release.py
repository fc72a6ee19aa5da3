"""os-release(5): what a system says it is."""

from __future__ import annotations

import shlex
from pathlib import Path


def parse_os_release(text: str) -> dict[str, str]:
    """The fields: shell assignments, one a line, plain or quoted."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            fields[name] = "".join(shlex.split(value))
    return fields


def host_distribution(path: Path = Path("/etc/os-release")) -> str:
    """The ID of the distribution this machine runs, empty if it does not say."""
    try:
        return parse_os_release(path.read_text(encoding="utf-8")).get("ID", "")
    except FileNotFoundError:
        return ""
