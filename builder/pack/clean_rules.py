"""What must not ship in an image, as a table: WSL makes it itself, it belongs to one machine, or it is waste.

Source: learn.microsoft.com/windows/wsl/build-custom-distro; microsoft/WSL src/linux/init/config.cpp (/init,
/etc/resolv.conf, the mounts below /usr/lib/wsl); machine-id(5); random-seed in systemd-random-seed(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from itertools import groupby
from typing import NamedTuple

from builder.core.patterns import compile_pattern


class Action(Enum):
    """DROP takes the entry and all below, DROP_FILES leaves directories, EMPTY leaves a file of no bytes,
    REDACT replaces the password hashes in it."""

    DROP = "drop"
    DROP_FILES = "drop files"
    EMPTY = "empty"
    REDACT = "redact"


class Rule(NamedTuple):
    """`action` for what matches one of `patterns` (see `builder.core.patterns`), because of `why`."""

    action: Action
    why: str
    patterns: tuple[str, ...]


RULES = (
    Rule(Action.DROP, "WSL writes its own name resolution", ("/etc/resolv.conf",)),
    Rule(Action.DROP, "WSL puts its own /init there", ("/init",)),
    Rule(Action.DROP, "WSL mounts over it", ("/usr/lib/wsl/lib/**", "/usr/lib/wsl/drivers/**")),
    Rule(Action.DROP, "WSL brings its kernel", (
        "/boot/vmlinuz*", "/boot/vmlinux*", "/boot/initrd*", "/boot/initramfs*", "/boot/*-rescue-*.img",
        "/vmlinuz", "/vmlinuz.old", "/initrd.img", "/initrd.img.old",
    )),
    Rule(Action.DROP, "it is filled when the system starts", (
        "/dev/**", "/proc/**", "/sys/**", "/run/**", "/tmp/**", "/var/tmp/**",  # noqa: S108 - patterns, nothing is written there
    )),
    Rule(Action.EMPTY, "it identifies one machine", ("/etc/machine-id",)),
    Rule(Action.DROP, "it identifies one machine", (
        "/var/lib/dbus/machine-id", "/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_*_key.pub",
        "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret", "/var/lib/urandom/random-seed",
    )),
    Rule(Action.REDACT, "a password known to one is known to all", ("/etc/shadow", "/etc/gshadow")),
    Rule(Action.EMPTY, "it holds old password hashes", ("/etc/security/opasswd",)),
    Rule(Action.DROP, "it is a backup that a tool left", (
        "/etc/passwd-", "/etc/shadow-", "/etc/group-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-",
        "/var/lib/dpkg/*-old", "/var/cache/debconf/*-old",
    )),
    Rule(Action.DROP_FILES, "package managers fetch it again", (
        "/var/lib/apt/lists/**", "/var/cache/apt/**", "/var/cache/dnf/**", "/var/cache/libdnf5/**",
        "/var/cache/yum/**", "/var/cache/zypp/**", "/var/cache/pacman/pkg/**", "/var/cache/apk/**",
        "/var/cache/xbps/**",
    )),
    Rule(Action.DROP_FILES, "it is a cache that is made again", (
        "/var/cache/ldconfig/aux-cache", "/var/cache/man/**",
    )),
    Rule(Action.DROP, "it is the journal of one machine", ("/var/log/journal/**",)),
    Rule(Action.EMPTY, "it tells of the build", ("/var/log/**",)),
    Rule(Action.DROP, "it makes programs believe they run in a container", ("/.dockerenv", "/.dockerinit")),
    Rule(Action.DROP, "it is a whiteout of a layer and no file", ("/**/.wh.*",)),
)  # fmt: skip
"""The first rule that matches an entry applies."""


_ANYWHERE = "/**/.wh.*"
"""The only pattern whose first part has a wildcard."""

_HINT = "/.wh."
"""What every path that it matches contains."""


class RuleFinder:
    """Finds the rule of a path; a path that no rule can concern costs little more than a look into a dict."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rows = [(pattern, rule) for rule in rules for pattern in rule.patterns]
        anchored = [pattern for pattern, _ in self._rows if pattern != _ANYWHERE]
        self._by_top = {
            top: re.compile("|".join(compile_pattern(each).pattern for each in patterns), re.DOTALL)
            for top, patterns in groupby(sorted(anchored, key=_top), _top)
        }

    def find(self, path: bytes) -> Rule | None:
        """The first rule that matches `path`, which is relative to the root of the image."""
        text = "/" + path.decode("latin-1")
        concerned = self._by_top.get(_top(text))
        if (concerned is None or not concerned.fullmatch(text)) and _HINT not in text:
            return None
        return next((rule for pattern, rule in self._rows if compile_pattern(pattern).fullmatch(text)), None)


def _top(path: str) -> str:
    return path[1:].partition("/")[0]
