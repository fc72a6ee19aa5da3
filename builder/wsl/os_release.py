"""/etc/os-release, as WSL reads it and as everybody else does."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(rb'VERSION_ID="?([a-zA-Z0-9\-_.,]*)"?')
_FLAVOR = re.compile(rb'ID="?([a-zA-Z0-9\-_.,]*)"?')
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(?:'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|(\S*))\s*")
_ESCAPED = re.compile(r"\\([\"$'\\`])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Flavor:
    """What WSL keeps of a distribution in the registry and in its Terminal profile; None is absent."""

    flavor: str | None
    version: str | None


def read_flavor(data: bytes) -> Flavor:
    """ID and VERSION_ID as WSL finds them in /etc/os-release, which it looks for nowhere else.

    A value with single quotes, blanks, a CR or any of `+ ~ :` is not found. A key that is repeated before
    both are known counts with its last value.
    Source: microsoft/WSL src/linux/init/util.cpp:UtilReadFlavorAndVersion.
    """
    flavor = version = None
    for line in data.split(b"\n"):
        if match := _VERSION.fullmatch(line):
            version = match[1].decode("ascii")
        elif match := _FLAVOR.fullmatch(line):
            flavor = match[1].decode("ascii")
        if flavor is not None and version is not None:
            break
    return Flavor(flavor=flavor, version=version)


def read_os_release(data: bytes) -> dict[str, str]:
    """The variables of an os-release file, unquoted, the last assignment of each. Other lines are ignored.

    Bytes that are not UTF-8 become surrogate escapes. Source: os-release(5).
    """
    variables = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        if match := _ASSIGNMENT.fullmatch(line.strip()):
            name, single, double, bare = match.groups()
            variables[name] = single or _ESCAPED.sub(r"\1", double or bare or "")
    return variables
