"""An image that breaks no rule, and how to change it."""

from __future__ import annotations

import struct
from pathlib import Path

from builder.check.options import CheckOptions, Report
from builder.check.run import DEFAULTS, check
from tests.unit.check.images import Item, directory, file, image, program, symlink

CONF = """[oobe]
command = /usr/libexec/wsl/oobe.sh
defaultUid = 1000
defaultName = Example-1

[shortcut]
icon = /usr/share/wsl/icon.ico

[windowsterminal]
profileTemplate = /usr/lib/wsl/terminal.json
"""


def elf(machine: int = 62) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, machine, 1) + bytes(64)


def icon() -> bytes:
    picture = struct.pack("<I", 40) + bytes(60)
    return (
        struct.pack("<HHH", 0, 1, 1)
        + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(picture), 22)
        + picture
    )


def good(*changes: Item, without: tuple[str, ...] = ()) -> list[Item]:
    """The members, with `changes` in place of those of the same name or at the end, and some left out."""
    members = {item.name: item for item in _good()}
    for name in without:
        del members[name.encode()]
    for item in changes:
        members[item.name] = item
    return list(members.values())


def _good() -> list[Item]:
    return [
        directory("etc"),
        file("etc/wsl-distribution.conf", CONF),
        file("etc/wsl.conf", "[boot]\nsystemd = true\n"),
        file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        file("etc/shadow", "root:*:20000:0:99999:7:::\n", 0o640),
        file("etc/group", "root:x:0:\ntty:x:5:\n"),
        file("etc/fstab", "# nothing\n"),
        file("etc/os-release", 'ID=example\nVERSION_ID="1"\n'),
        file("etc/machine-id"),
        file("etc/default/locale", "LANG=C.UTF-8\n"),
        file("etc/ssl/certs/ca-certificates.crt", "x"),
        file("etc/pam.d/common-session", "session optional pam_systemd.so\n"),
        file("etc/sudoers", "root ALL=(ALL:ALL) ALL\n", 0o440),
        file("etc/apt/sources.list", "deb https://mirror.example.com/debian stable main\n"),
        directory("root", 0o700),
        directory("tmp", 0o1777),
        directory("usr"),
        directory("usr/bin"),
        directory("usr/sbin"),
        symlink("bin", "usr/bin"),
        symlink("sbin", "usr/sbin"),
        program("usr/bin/bash", elf()),
        program("usr/bin/sh", elf()),
        program("usr/bin/mount", elf(), 0o4755),
        program("usr/bin/login", elf()),
        program("usr/bin/sudo", elf(), 0o4755),
        program("usr/bin/systemctl", elf()),
        program("usr/bin/dbus-daemon", elf()),
        program("usr/lib/systemd/systemd", elf()),
        file("usr/lib/systemd/user/dbus.socket"),
        symlink("usr/sbin/init", "../lib/systemd/systemd"),
        program("usr/libexec/wsl/oobe.sh", "#!/bin/sh\n"),
        file("usr/share/wsl/icon.ico", icon()),
        file("usr/lib/wsl/terminal.json", '{"profiles": [{}]}', 0o640),
        file("usr/share/zoneinfo/UTC", "TZif"),
        file("var/lib/dpkg/status", "Package: curl\nStatus: install ok installed\n\n"),
    ]


def check_bytes(data: bytes, folder: Path, options: CheckOptions = DEFAULTS, name: str = "x.wsl") -> Report:
    path = folder / name
    path.write_bytes(data)
    return check(path, options)


def check_items(items: list[Item], folder: Path, options: CheckOptions = DEFAULTS) -> Report:
    return check_bytes(image(*items), folder, options)


def rules_of(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings}
