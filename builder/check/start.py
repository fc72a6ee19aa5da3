"""Rules about what WSL writes, replaces, mounts and runs at every start of a distribution."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.names import show
from builder.model.entry import Kind
from builder.model.finding import Severity

_MOUNTS = "microsoft/WSL src/linux/init/config.cpp:ConfigInitializeCommon"
_START = "microsoft/WSL src/linux/init/config.cpp:ConfigInitializeInstance"
_GUIDE = "https://learn.microsoft.com/windows/wsl/build-custom-distro"
_HIDDEN = ("usr/lib/wsl/lib", "usr/lib/wsl/drivers")
_TOP = ("bin", "sbin", "lib", "lib64")


def _find_fstab(image: Image) -> Iterator[Hit]:
    for number, line in enumerate(image.lines("etc/fstab"), 1):
        fields = line.split()
        if fields and not fields[0].startswith("#"):
            yield Hit(f"/etc/fstab:{number}", f"mounts {fields[0]}")


def _find_no_fstab(image: Image) -> Iterator[Hit]:
    if image.find("etc/fstab") is None and image.setting("automount.mountFsTab") is not False:
        yield Hit("/etc/fstab", "is missing")


def _find_resolv_conf(image: Image) -> Iterator[Hit]:
    node = image.find("etc/resolv.conf", follow=False)
    if node is not None and node.kind is not Kind.DIRECTORY:
        yield Hit("/etc/resolv.conf", f"is a {node.kind.name.lower()}, expected nothing")


def _find_resolv_folder(image: Image) -> Iterator[Hit]:
    node = image.find("etc/resolv.conf", follow=False)
    if node is not None and node.kind is Kind.DIRECTORY:
        yield Hit("/etc/resolv.conf", "is a directory")


def _find_init(image: Image) -> Iterator[Hit]:
    if image.find("init", follow=False) is not None:
        yield Hit("/init", "exists")


def _find_hidden(image: Image) -> Iterator[Hit]:
    for folder in _HIDDEN:
        yield from (Hit(path, "is hidden by a mount of WSL") for path, _ in image.files(folder))


def _find_covered(image: Image) -> Iterator[Hit]:
    for folder in ("dev", "proc", "sys", "run"):
        if below := [path for path, node in image.below(folder) if node.kind is not Kind.DIRECTORY]:
            yield Hit(f"/{folder}", f"has {len(below)} entries, such as {below[0]}")


def _find_no_zones(image: Image) -> Iterator[Hit]:
    if image.setting("time.useWindowsTimezone") is not False and image.find("usr/share/zoneinfo") is None:
        yield Hit("/usr/share/zoneinfo", "does not exist, and time.useWindowsTimezone is on")


def _find_dangling_top(image: Image) -> Iterator[Hit]:
    for name in _TOP:
        node = image.find(name, follow=False)
        if node is not None and image.find(name) is None:
            yield Hit(f"/{name}", f"is a link to {show(node.target)}, which does not exist")


def _find_blank_names(image: Image) -> Iterator[Hit]:
    for path in ("etc/hosts", "etc/hostname"):
        node = image.find(path)
        if node is not None and node.kind is Kind.FILE and not node.size:
            yield Hit(f"/{path}", "is empty")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL405",
        severity=Severity.WARNING,
        title="/etc/fstab mounts something",
        why="`mount -a` fails on devices that are not there; WSL warns at every start (microsoft/WSL#8265)",
        source=_START,
        fix="leave only comments in it",
        find=_find_fstab,
    ),
    Rule(
        id="WSL406",
        severity=Severity.WARNING,
        title="There is no /etc/fstab",
        why="`mount -a` fails without it, and WSL warns at every start",
        source=_START,
        fix="ship an empty file",
        find=_find_no_fstab,
    ),
    Rule(
        id="WSL407",
        severity=Severity.WARNING,
        title="/etc/resolv.conf is shipped",
        why="WSL replaces it; WSL 1 writes through a link to wherever it leads",
        source=_GUIDE,
        fix="remove it",
        find=_find_resolv_conf,
    ),
    Rule(
        id="WSL408",
        severity=Severity.ERROR,
        title="/etc/resolv.conf is a directory",
        why="WSL cannot replace it: names are not resolved",
        source=_START,
        fix="remove it",
        find=_find_resolv_folder,
    ),
    Rule(
        id="WSL411",
        severity=Severity.WARNING,
        title="/init is shipped",
        why="WSL truncates it and mounts its own over it (microsoft/WSL#883)",
        source=_START,
        fix="remove it",
        find=_find_init,
    ),
    Rule(
        id="WSL413",
        severity=Severity.WARNING,
        title="Files lie where WSL mounts its own",
        why="nobody sees them",
        source=_START,
        fix="move them, e.g. to /usr/lib/wsl",
        find=_find_hidden,
    ),
    Rule(
        id="WSL414",
        severity=Severity.INFO,
        title="Files lie below /dev, /proc, /sys or /run",
        why="mounts hide them at every start",
        source=_MOUNTS,
        fix="remove them",
        find=_find_covered,
    ),
    Rule(
        id="WSL419",
        severity=Severity.WARNING,
        title="There are no time zones",
        why="WSL cannot set the one of Windows, and warns about tzdata at every start",
        source=_START,
        fix="install tzdata, or set time.useWindowsTimezone = false",
        find=_find_no_zones,
    ),
    Rule(
        id="WSL420",
        severity=Severity.ERROR,
        title="A folder that WSL needs is a dangling link",
        why="WSL creates links in /bin and /sbin at every start, and gives up if it cannot",
        source=_MOUNTS,
        fix="restore what the link leads to",
        find=_find_dangling_top,
    ),
    Rule(
        id="WSL426",
        severity=Severity.INFO,
        title="Names are empty as in an exported container",
        why="WSL writes both files unless network.generateHosts is off",
        source=_START,
        fix="remove them",
        find=_find_blank_names,
    ),
)
