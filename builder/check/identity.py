"""Rules about what an installation is taken for: its distribution, its machine, no container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.model.entry import Kind
from builder.model.finding import Severity
from builder.wsl.os_release import read_flavor


def _find_machine_id(image: Image) -> Iterator[Hit]:
    for path in ("etc/machine-id", "var/lib/dbus/machine-id"):
        node = image.find(path, follow=False)
        filled = node is not None and node.kind is Kind.FILE and node.size > 0
        if filled and (image.content(path) or b"").strip() != b"uninitialized":
            yield Hit(f"/{path}", "holds an id")
    for path in ("var/lib/systemd/random-seed", "var/lib/systemd/credential.secret"):
        if image.find(path) is not None:
            yield Hit(f"/{path}", "is there")


def _find_host_keys(image: Image) -> Iterator[Hit]:
    for path, node in image.files("etc/ssh"):
        if re.search(r"/ssh_host_[a-z0-9]+_key$", path) and node.size:
            yield Hit(path, "is the key of a host")


def _find_no_os_release(image: Image) -> Iterator[Hit]:
    data = image.content("etc/os-release")
    if image.find("etc/os-release") is None:
        yield Hit("/etc/os-release", "is missing")
    elif data is not None:
        flavor = read_flavor(data)
        missing = [
            name for name, value in (("ID", flavor.flavor), ("VERSION_ID", flavor.version)) if value is None
        ]
        if "ID" in missing or (missing and b"VERSION_ID" in data):
            yield Hit("/etc/os-release", f"WSL finds no {' and no '.join(missing)} in it")


def _find_container_marks(image: Image) -> Iterator[Hit]:
    for path in (".dockerenv", ".dockerinit", "run/.containerenv"):
        if image.find(path) is not None:
            yield Hit(f"/{path}", "is left over from a container")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL409",
        severity=Severity.WARNING,
        title="All installations would have the same identity",
        why="ids and seeds that should be unique are shared (microsoft/WSL#6347)",
        source="machine-id(5)",
        fix="empty /etc/machine-id, remove the others",
        find=_find_machine_id,
    ),
    Rule(
        id="WSL410",
        severity=Severity.WARNING,
        title="All installations would have the same SSH host keys",
        why="whoever has the image can pose as each of them",
        source="sshd(8)",
        fix="remove them; let the first start create them",
        find=_find_host_keys,
    ),
    Rule(
        id="WSL415",
        severity=Severity.WARNING,
        title="WSL cannot tell the flavor and version",
        why="its Terminal profile and registry lack them: it reads a narrow form of /etc/os-release",
        source="microsoft/WSL src/linux/init/util.cpp:UtilReadFlavorAndVersion",
        fix="write ID and VERSION_ID plain or in double quotes",
        find=_find_no_os_release,
    ),
    Rule(
        id="WSL425",
        severity=Severity.WARNING,
        title="The image was a container",
        why="programs take it for one still; what the configuration said (ENV, USER, WORKDIR) is lost",
        source="microsoft/WSL#9250",
        fix="remove the file; write the variables to /etc/profile.d and the user to [user] default",
        find=_find_container_marks,
    ),
)
