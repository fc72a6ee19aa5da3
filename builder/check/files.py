"""Rules about single files and folders of the root file system."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.names import show
from builder.extraction.tree import Nature
from builder.model.entry import Kind
from builder.model.finding import Severity
from builder.wsl.os_release import read_flavor

_START = "microsoft/WSL src/linux/init/config.cpp:LxssStartupCommon"
_MACHINES = {"amd64": (2, 62), "arm64": (2, 183)}
_GUIDE = "https://learn.microsoft.com/windows/wsl/build-custom-distro"
_HIDDEN = ("usr/lib/wsl/lib", "usr/lib/wsl/drivers")
_KERNEL = re.compile(r"/boot/(vmlinu[xz]|initrd|initramfs|System\.map|config-)[^/]*")
_SETUID = (
    "usr/bin/sudo",
    "usr/bin/su",
    "bin/su",
    "usr/bin/passwd",
    "usr/bin/newgrp",
    "bin/mount",
    "usr/bin/mount",
)
_TOP = ("bin", "sbin", "lib", "lib64")
_ANYWHERE = ("C", "POSIX", "C.UTF-8", "C.utf8")


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


def _find_init(image: Image) -> Iterator[Hit]:
    if image.find("init", follow=False) is not None:
        yield Hit("/init", "exists")


def _find_kernel(image: Image) -> Iterator[Hit]:
    for path, node in image.files("boot"):
        if _KERNEL.fullmatch(path):
            yield Hit(path, f"has {node.size} bytes")


def _find_hidden(image: Image) -> Iterator[Hit]:
    for folder in _HIDDEN:
        yield from (Hit(path, "is hidden by a mount of WSL") for path, _ in image.files(folder))


def _find_covered(image: Image) -> Iterator[Hit]:
    for folder in ("dev", "proc", "sys", "run"):
        if below := [path for path, node in image.below(folder) if node.kind is not Kind.DIRECTORY]:
            yield Hit(f"/{folder}", f"has {len(below)} entries, such as {below[0]}")


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


def _language(image: Image) -> tuple[str, str] | None:
    """The file that sets LANG for sessions, and its value as written."""
    for path in ("etc/default/locale", "etc/locale.conf"):
        if image.find(path) is not None:
            values = [
                line.partition("LANG=")[2]
                for line in image.lines(path)
                if re.match(r"\s*(export )?LANG=", line)
            ]
            return (f"/{path}", values[-1].split("#")[0].strip()) if values else None
    return None


def _has_locale(image: Image, name: str) -> bool:
    if name in _ANYWHERE or image.find("usr/lib/locale/locale-archive") is not None:
        return True
    base, _, charset = name.partition(".")
    spellings = {name, f"{base}.{charset.lower().replace('-', '')}", base}
    return any(image.find(f"usr/lib/locale/{spelling}") is not None for spelling in spellings)


def _find_no_locale(image: Image) -> Iterator[Hit]:
    if image.find("usr/lib/locale") is None and image.find("lib/ld-musl-x86_64.so.1") is not None:
        return
    found = _language(image)
    if found and not _has_locale(image, found[1].strip("\"'")):
        yield Hit(found[0], f"LANG is {found[1]}, a locale that is not installed")


def _find_default_locale(image: Image) -> Iterator[Hit]:
    musl = any(re.match(rb"lib/ld-musl-", path) for path in image.tree.nodes)
    if (
        _language(image) is None
        and image.find("bin/sh")
        and not musl
        and not _has_locale(image, "en_US.UTF-8")
    ):
        yield Hit(
            "/etc/default/locale", "sets no LANG, and en_US.UTF-8, which WSL takes then, is not installed"
        )


def _find_quoted_locale(image: Image) -> Iterator[Hit]:
    found = _language(image)
    if found and found[1][:1] in ("'", '"'):
        yield Hit(found[0], f"LANG={found[1]} has quotes")


def _find_no_zones(image: Image) -> Iterator[Hit]:
    if image.setting("time.useWindowsTimezone") is not False and image.find("usr/share/zoneinfo") is None:
        yield Hit("/usr/share/zoneinfo", "does not exist, and time.useWindowsTimezone is on")


def _find_dangling_top(image: Image) -> Iterator[Hit]:
    for name in _TOP:
        node = image.find(name, follow=False)
        if node is not None and image.find(name) is None:
            yield Hit(f"/{name}", f"is a link to {show(node.target)}, which does not exist")


def _find_loops(image: Image) -> Iterator[Hit]:
    for path, node in image.nodes:
        if node.kind is Kind.SYMLINK and image.tree.resolve(path) is None and image.tree.loops(path):
            yield Hit(f"/{show(path)}", f"leads back to itself by way of {show(node.target)}")


def _find_windows_scripts(image: Image) -> Iterator[Hit]:
    for path, node in image.nodes:
        if node.nature is Nature.CRLF_SCRIPT:
            yield Hit(f"/{show(path)}", "its first line ends in CR LF")


def _find_writable(image: Image) -> Iterator[Hit]:
    for path, node in image.nodes:
        if not node.mode & 0o002 or node.kind in (Kind.SYMLINK, Kind.CHAR, Kind.BLOCK, Kind.FIFO):
            continue
        if not (node.kind is Kind.DIRECTORY and node.mode & 0o1000):
            yield Hit(f"/{show(path)}", f"everybody can write it ({node.mode:04o})")


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


def _find_container_marks(image: Image) -> Iterator[Hit]:
    for path in (".dockerenv", ".dockerinit", "run/.containerenv"):
        if image.find(path) is not None:
            yield Hit(f"/{path}", "is left over from a container")


def _find_blank_names(image: Image) -> Iterator[Hit]:
    for path in ("etc/hosts", "etc/hostname"):
        node = image.find(path)
        if node is not None and node.kind is Kind.FILE and not node.size:
            yield Hit(f"/{path}", "is empty")


def _find_closed_tmp(image: Image) -> Iterator[Hit]:
    for path in ("tmp", "var/tmp"):
        node = image.find(path)
        if node is not None and not node.implied and node.mode != 0o1777:
            yield Hit(f"/{path}", f"is {node.mode:04o}, expected 1777")


def _find_no_certificates(image: Image) -> Iterator[Hit]:
    places = (
        "etc/ssl/certs/ca-certificates.crt",
        "etc/pki/tls/certs/ca-bundle.crt",
        "etc/ssl/ca-bundle.pem",
        "etc/ssl/cert.pem",
    )
    if image.find("bin/sh") and not any(image.find(place) for place in places):
        yield Hit("/etc/ssl/certs", "there are no CA certificates")


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
        id="WSL411",
        severity=Severity.WARNING,
        title="/init is shipped",
        why="WSL truncates it and mounts its own over it (microsoft/WSL#883)",
        source=_START,
        fix="remove it",
        find=_find_init,
    ),
    Rule(
        id="WSL412",
        severity=Severity.WARNING,
        title="A kernel is shipped",
        why="WSL never starts it",
        source=_GUIDE,
        fix="remove it",
        find=_find_kernel,
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
        source=_START,
        fix="remove them",
        find=_find_covered,
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
        id="WSL416",
        severity=Severity.WARNING,
        title="The locale of sessions is not installed",
        why="programs warn at every start (microsoft/WSL#11605)",
        source=_START,
        fix="set LANG=C.UTF-8, or generate the locale",
        find=_find_no_locale,
    ),
    Rule(
        id="WSL417",
        severity=Severity.INFO,
        title="No locale is set",
        why="WSL sets LANG=en_US.UTF-8 then, and programs warn",
        source="microsoft/WSL#13207",
        fix="write LANG=C.UTF-8 to /etc/default/locale",
        find=_find_default_locale,
    ),
    Rule(
        id="WSL418",
        severity=Severity.WARNING,
        title="The locale is in quotes",
        why="the WSL of today keeps them as part of the name",
        source=_START,
        fix="write it without quotes",
        find=_find_quoted_locale,
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
        source=_START,
        fix="restore what the link leads to",
        find=_find_dangling_top,
    ),
    Rule(
        id="WSL421",
        severity=Severity.WARNING,
        title="A symbolic link leads back to itself",
        why="whatever opens it fails with ELOOP",
        source="path_resolution(7)",
        fix="correct or remove it",
        find=_find_loops,
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
        id="WSL423",
        severity=Severity.WARNING,
        title="Everybody can write a file",
        why="any program of any user can change it",
        source="Filesystem Hierarchy Standard 3.0",
        fix="take the bit away: chmod o-w",
        find=_find_writable,
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
    Rule(
        id="WSL425",
        severity=Severity.WARNING,
        title="The image was a container",
        why="programs take it for one still; what the configuration said (ENV, USER, WORKDIR) is lost",
        source="microsoft/WSL#9250",
        fix="remove the file; write the variables to /etc/profile.d and the user to [user] default",
        find=_find_container_marks,
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
    Rule(
        id="WSL427",
        severity=Severity.WARNING,
        title="Users cannot use /tmp",
        why="programs of users fail",
        source="Filesystem Hierarchy Standard 3.0",
        fix="make it 1777",
        find=_find_closed_tmp,
    ),
    Rule(
        id="WSL428",
        severity=Severity.INFO,
        title="There are no CA certificates",
        why="HTTPS does not work",
        source="update-ca-certificates(8)",
        fix="install ca-certificates",
        find=_find_no_certificates,
    ),
)
