"""Rules about what a session of systemd for the user needs."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity

_SESSION = "microsoft/WSL src/linux/init/config.cpp:CreateLoginSession"


def _find_no_login(image: Image) -> Iterator[Hit]:
    if image.systemd and image.find("bin/login") is None:
        yield Hit("/bin/login", "does not exist")


def _find_no_pam(image: Image) -> Iterator[Hit]:
    if not image.systemd:
        return
    files = [*image.files("etc/pam.d"), *image.files("usr/lib/pam.d")]
    if not any(b"pam_systemd" in (node.content or b"") for _, node in files) and image.find("etc/pam.d"):
        yield Hit("/etc/pam.d", "no file mentions pam_systemd")


def _find_no_dbus(image: Image) -> Iterator[Hit]:
    places = ("usr/bin/dbus-daemon", "usr/bin/dbus-broker", "usr/bin/dbus-broker-launch")
    if image.systemd and not any(image.find(place) for place in places):
        yield Hit("/usr/bin/dbus-daemon", "neither dbus-daemon nor dbus-broker is installed")


def _find_no_user_bus(image: Image) -> Iterator[Hit]:
    if image.systemd and not image.find("usr/lib/systemd/user/dbus.socket"):
        yield Hit("/usr/lib/systemd/user/dbus.socket", "does not exist")


def _find_no_systemctl(image: Image) -> Iterator[Hit]:
    if image.systemd and not (image.find("usr/bin/systemctl") or image.find("bin/systemctl")):
        yield Hit("/usr/bin/systemctl", "does not exist")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL306",
        severity=Severity.WARNING,
        title="There is no /bin/login",
        why="WSL starts the systemd session of a user by it: `Failed to start the systemd user session`",
        source=_SESSION,
        fix="install login (util-linux)",
        find=_find_no_login,
    ),
    Rule(
        id="WSL307",
        severity=Severity.WARNING,
        title="Logins do not create a systemd session",
        why="`Failed to start the systemd user session` at the start (microsoft/WSL#13236)",
        source=_SESSION,
        fix="install libpam-systemd or enable pam_systemd.so",
        find=_find_no_pam,
    ),
    Rule(
        id="WSL308",
        severity=Severity.WARNING,
        title="There is no D-Bus",
        why="logind does not work, nor does a user session",
        source=_SESSION,
        fix="install dbus",
        find=_find_no_dbus,
    ),
    Rule(
        id="WSL309",
        severity=Severity.INFO,
        title="Users have no D-Bus of their own",
        why="desktop programs and `systemctl --user` fail",
        source="systemd user units: dbus.socket",
        fix="install dbus-user-session",
        find=_find_no_user_bus,
    ),
    Rule(
        id="WSL310",
        severity=Severity.WARNING,
        title="There is no systemctl",
        why="WSL waits with it for the end of the boot, until boot.initTimeout",
        source="microsoft/WSL src/linux/init/init.cpp",
        fix="install systemd completely",
        find=_find_no_systemctl,
    ),
)
