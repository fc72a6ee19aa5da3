"""Rules about programs: those that WSL needs, and whether they run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.names import show
from builder.extraction.tree import Nature
from builder.model.entry import Kind
from builder.model.finding import Severity

_START = "microsoft/WSL src/linux/init/config.cpp:ConfigInitializeInstance"
_MACHINES = {"amd64": (2, 62), "arm64": (2, 183)}
_SETUID = (
    "usr/bin/sudo",
    "usr/bin/su",
    "bin/su",
    "usr/bin/passwd",
    "usr/bin/newgrp",
    "bin/mount",
    "usr/bin/mount",
)


def _find_no_shell(image: Image) -> Iterator[Hit]:
    node = image.find("bin/sh")
    if node is None:
        yield Hit("/bin/sh", "does not exist")
    elif not node.mode & 0o111:
        yield Hit("/bin/sh", "is not executable")


def _find_wrong_architecture(image: Image) -> Iterator[Hit]:
    wanted = _MACHINES.get(image.architecture or "")
    for path in ("bin/sh", "bin/bash", "sbin/init", "bin/mount"):
        node = image.find(path)
        if node is not None and node.machine is not None and node.machine != wanted:
            yield Hit(
                f"/{path}",
                f"is for ELF machine {node.machine[1]}, expected {image.architecture or 'amd64 or arm64'}",
            )


def _find_foreign_programs(image: Image) -> Iterator[Hit]:
    wanted = _MACHINES.get(image.architecture or "")
    for path, node in image.nodes:
        if wanted and node.machine and node.machine != wanted and node.mode & 0o111 and _is_on_path(path):
            yield Hit(
                f"/{show(path)}", f"is for ELF machine {node.machine[1]}, expected {image.architecture}"
            )


def _is_on_path(path: bytes) -> bool:
    return re.fullmatch(rb"(usr/(local/)?)?s?bin/[^/]+", path) is not None


def _find_no_mount(image: Image) -> Iterator[Hit]:
    if image.setting("automount.mountFsTab") is not False and image.find("bin/mount") is None:
        yield Hit("/bin/mount", "does not exist, and automount.mountFsTab is on")


def _find_windows_scripts(image: Image) -> Iterator[Hit]:
    for path, node in image.nodes:
        if node.nature is Nature.CRLF_SCRIPT:
            yield Hit(f"/{show(path)}", "its first line ends in CR LF")


def _find_lost_setuid(image: Image) -> Iterator[Hit]:
    for path in _SETUID:
        node = image.find(path, follow=False)
        if (
            node is not None
            and node.kind is Kind.FILE
            and node.nature is Nature.ELF
            and not node.mode & 0o4000
        ):
            yield Hit(f"/{path}", f"is {node.mode:04o} without the setuid bit")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL401",
        severity=Severity.ERROR,
        title="There is no shell",
        why="WSL runs oobe.command and boot.command with /bin/sh, and sessions by default",
        source="microsoft/WSL src/linux/init/init.cpp",
        fix="install a shell",
        find=_find_no_shell,
    ),
    Rule(
        id="WSL402",
        severity=Severity.ERROR,
        title="A vital program is for another architecture",
        why="it does not run: `Exec format error`",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="build the image for the architecture it is published for",
        find=_find_wrong_architecture,
    ),
    Rule(
        id="WSL403",
        severity=Severity.WARNING,
        title="A program is for another architecture",
        why="it does not run without an emulator",
        source="elf(5)",
        fix="install the package of the right architecture",
        find=_find_foreign_programs,
    ),
    Rule(
        id="WSL404",
        severity=Severity.WARNING,
        title="There is no /bin/mount",
        why="WSL runs it at every start and warns",
        source=_START,
        fix="install mount (util-linux), or set automount.mountFsTab = false",
        find=_find_no_mount,
    ),
    Rule(
        id="WSL422",
        severity=Severity.WARNING,
        title="A script was written on Windows",
        why="its interpreter is looked up with a CR at the end and not found",
        source="execve(2)",
        fix="convert its lines to LF",
        find=_find_windows_scripts,
    ),
    Rule(
        id="WSL424",
        severity=Severity.WARNING,
        title="A program lost its setuid bit",
        why="it cannot do its work for users",
        source="https://github.com/containers/buildah/issues/4463",
        fix="restore it: chmod u+s",
        find=_find_lost_setuid,
    ),
)
