"""Rules about systemd and its units."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.check.units import enabled_units, is_masked
from builder.extraction.tree import Node
from builder.model.finding import Severity
from builder.wsl.units import UNITS

_POINTLESS = {
    "systemd-timesyncd.service": "the clock is that of Windows",
    "chronyd.service": "the clock is that of Windows",
    "chrony.service": "the clock is that of Windows",
    "systemd-firstboot.service": "asks on a console that nobody sees",
    "ModemManager.service": "there is no modem",
    "multipathd.service": "there are no multipath devices",
    "systemd-udev-settle.service": "waits for devices that never come",
}


def _find_bad_init(image: Image) -> Iterator[Hit]:
    if not image.systemd:
        return
    node = image.find("sbin/init")
    if node is None:
        yield Hit("/sbin/init", "boot.systemd is true, but it does not exist")
    elif not node.mode & 0o111:
        yield Hit("/sbin/init", "boot.systemd is true, but it is not executable")


def _find_harmful(image: Image) -> Iterator[Hit]:
    harmful = {unit.name: unit.reason for unit in UNITS if unit.masked}
    if image.systemd:
        for path, unit in enabled_units(image):
            if unit in harmful and not is_masked(image, unit):
                yield Hit(
                    path,
                    f"{unit} is enabled: {harmful[unit]}",
                    f"mask it: ln -s /dev/null /etc/systemd/system/{unit}",
                )


def _find_pointless(image: Image) -> Iterator[Hit]:
    if image.systemd:
        for path, unit in enabled_units(image):
            if unit in _POINTLESS and not is_masked(image, unit):
                yield Hit(path, f"{unit} is enabled: {_POINTLESS[unit]}")


def _find_getty(image: Image) -> Iterator[Hit]:
    if image.systemd:
        for path, unit in enabled_units(image):
            if unit.startswith(("getty@", "serial-getty@")) and not is_masked(image, unit):
                yield Hit(path, f"{unit} is enabled: there is no such terminal")


def _find_cloud_init(image: Image) -> Iterator[Hit]:
    if not image.systemd or image.find("usr/bin/cloud-init") is None:
        return
    off = image.find("etc/cloud/cloud-init.disabled") is not None
    text = b"".join(node.content or b"" for _, node in image.files("etc/cloud"))
    if not off and b"WSL" not in text:
        yield Hit("/etc/cloud", "cloud-init is installed without the data source WSL")


def _find_unused(image: Image) -> Iterator[Hit]:
    node = image.find("sbin/init")
    real = image.tree.resolve(b"sbin/init") if node else None
    if node and real and real.endswith(b"systemd") and not image.systemd:
        yield Hit("/etc/wsl.conf", "systemd is installed, but boot.systemd is not true")


def _matches_windows(node: Node) -> bool:
    lines = (node.content or b"").decode("utf-8", "replace").splitlines()
    return any(re.match(r":[^:]*:M:0?:MZ", line) for line in lines)


def _find_binfmt(image: Image) -> Iterator[Hit]:
    for path, node in image.files("etc/binfmt.d"):
        if _matches_windows(node):
            yield Hit(path, "registers an interpreter for Windows programs (MZ)")


def _find_graphical(image: Image) -> Iterator[Hit]:
    node = image.find("etc/systemd/system/default.target", follow=False)
    if image.systemd and node and node.target.endswith(b"graphical.target"):
        yield Hit("/etc/systemd/system/default.target", "is graphical.target")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL301",
        severity=Severity.ERROR,
        title="systemd cannot start",
        why="WSL then starts without systemd, and only its log tells",
        source="microsoft/WSL src/linux/init/init.cpp",
        fix="install systemd-sysv, or set boot.systemd = false",
        find=_find_bad_init,
    ),
    Rule(
        id="WSL302",
        severity=Severity.WARNING,
        title="A unit that harms under WSL is enabled",
        why="see the unit; older versions of WSL do not mask it themselves",
        source="https://learn.microsoft.com/windows/wsl/build-custom-distro#systemd-recommendations",
        fix="mask it",
        find=_find_harmful,
    ),
    Rule(
        id="WSL303",
        severity=Severity.INFO,
        title="A unit that is pointless under WSL is enabled",
        why="it costs time at every start",
        source="systemd.special(7), microsoft/WSL#12597",
        fix="disable it",
        find=_find_pointless,
    ),
    Rule(
        id="WSL304",
        severity=Severity.INFO,
        title="A getty is enabled",
        why="it restarts for ever on a terminal that does not exist",
        source="https://github.com/microsoft/WSL/pull/14022",
        fix="disable it",
        find=_find_getty,
    ),
    Rule(
        id="WSL305",
        severity=Severity.WARNING,
        title="cloud-init does not know about WSL",
        why="it searches for a data source at every start and delays it",
        source="https://cloudinit.readthedocs.io/en/latest/reference/datasources/wsl.html",
        fix="set `datasource_list: [WSL, None]`, or touch /etc/cloud/cloud-init.disabled",
        find=_find_cloud_init,
    ),
    Rule(
        id="WSL311",
        severity=Severity.INFO,
        title="systemd is installed and not started",
        why="services and timers never run",
        source="microsoft/WSL src/linux/init/WslDistributionConfig.cpp",
        fix="set boot.systemd = true in /etc/wsl.conf",
        find=_find_unused,
    ),
    Rule(
        id="WSL312",
        severity=Severity.WARNING,
        title="binfmt.d takes Windows programs away from WSL",
        why="programs of Windows no longer start (microsoft/WSL#8843)",
        source="microsoft/WSL src/linux/init/init.cpp:GenerateSystemdUnits",
        fix="remove the file",
        find=_find_binfmt,
    ),
    Rule(
        id="WSL313",
        severity=Severity.INFO,
        title="The default target is graphical",
        why="it starts a display manager that has no display",
        source="systemd.special(7)",
        fix="link default.target to multi-user.target",
        find=_find_graphical,
    ),
)
