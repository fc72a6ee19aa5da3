"""Which systemd units do harm under WSL, and which of them we mask.

The lists in circulation contradict one another. Microsoft's guide asks to mask nine units and its validator
warns of fourteen, systemd-tmpfiles-setup among them. Masking that one takes away the directories below /run
and /var that packages declare in tmpfiles.d (microsoft/WSL#9126), and the WSL of today itself writes
/run/tmpfiles.d/x11.conf and orders its own wslg.service after that unit (microsoft/WSL
src/linux/init/init.cpp:GenerateSystemdUnits). The default therefore leaves tmpfiles alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class MaskPolicy(Enum):
    """Which units an image masks: those that do harm, all that Microsoft's validator warns of, or none."""

    WSL_DEFAULT = "wsl-default"
    MICROSOFT_STRICT = "microsoft-strict"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitAdvice:
    """One system unit. `masked` says whether `wsl-default` masks it, `discouraged` whether Microsoft's
    validator warns of it; `reason` explains the former."""

    name: str
    masked: bool
    reason: str
    discouraged: bool = True


_TMPFILES = (
    "kept: creates the directories below /run and /var that packages rely on, and WSLg is ordered after"
)

UNITS = (
    UnitAdvice(
        name="systemd-resolved.service",
        masked=True,
        reason="WSL writes /etc/resolv.conf itself; the two would replace each other's file",
    ),
    UnitAdvice(
        name="systemd-networkd.service",
        masked=True,
        reason="WSL configures the network interfaces of the shared virtual machine itself",
    ),
    UnitAdvice(
        name="systemd-networkd-wait-online.service",
        masked=True,
        reason="waits two minutes for a networkd that manages nothing; WSL masks it only since 2.7.0",
    ),
    UnitAdvice(name="systemd-tmpfiles-setup.service", masked=False, reason=_TMPFILES),
    UnitAdvice(
        name="systemd-tmpfiles-clean.service",
        masked=False,
        reason="kept: removes old files from /tmp and harms nothing that WSL mounts",
    ),
    UnitAdvice(
        name="systemd-tmpfiles-clean.timer",
        masked=False,
        discouraged=False,
        reason="kept: starts systemd-tmpfiles-clean.service",
    ),
    UnitAdvice(name="systemd-tmpfiles-setup-dev-early.service", masked=False, reason=_TMPFILES),
    UnitAdvice(name="systemd-tmpfiles-setup-dev.service", masked=False, reason=_TMPFILES),
    UnitAdvice(
        name="systemd-vconsole-setup.service",
        masked=True,
        reason="there is no virtual console to set up; it fails at every start",
    ),
    UnitAdvice(
        name="tmp.mount",
        masked=True,
        reason="would hide the X11 socket that WSLg puts into /tmp",
    ),
    UnitAdvice(
        name="NetworkManager.service",
        masked=True,
        reason="WSL configures the network interfaces of the shared virtual machine itself",
    ),
    UnitAdvice(
        name="NetworkManager-wait-online.service",
        masked=True,
        reason="delays the start for a NetworkManager that manages nothing; WSL masks it only since 2.7.1",
    ),
    UnitAdvice(
        name="console-getty.service",
        masked=True,
        reason="fights over the console with other running distributions; WSL masks it only since 2.7.2",
    ),
    UnitAdvice(
        name="networking.service",
        masked=True,
        reason="ifupdown would configure interfaces that WSL has configured",
    ),
    UnitAdvice(
        name="hypervkvpd.service",
        masked=True,
        reason="serves an integration channel that belongs to WSL's virtual machine, not to a distribution",
    ),
    UnitAdvice(
        name="systemd-firstboot.service",
        masked=True,
        discouraged=False,
        reason="asks for locale, time zone and root password on a console that nobody sees",
    ),
    UnitAdvice(
        name="getty@tty1.service",
        masked=True,
        discouraged=False,
        reason="restarts for ever on a terminal that does not exist (microsoft/WSL PR#14022)",
    ),
)
"""The validator's fourteen units in its order (microsoft/WSL distributions/validate-modern.py), the timer of
the guide (https://learn.microsoft.com/windows/wsl/build-custom-distro), and two from experience."""


def units_to_mask(policy: MaskPolicy) -> tuple[UnitAdvice, ...]:
    """The units that `policy` masks in /etc/systemd/system, sorted by name."""
    chosen = {
        MaskPolicy.WSL_DEFAULT: [unit for unit in UNITS if unit.masked],
        MaskPolicy.MICROSOFT_STRICT: list(UNITS),
        MaskPolicy.NONE: [],
    }[policy]
    return tuple(sorted(chosen, key=lambda unit: unit.name))


def find_unit(name: str) -> UnitAdvice | None:
    """What is known about the unit `name`; None when it is none of ours."""
    return next((unit for unit in UNITS if unit.name == name), None)
