"""Microsoft's verdicts on accounts, programs, units and labels."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.image import Image
from builder.check.microsoft_settings import (
    PLAIN,
    WSL_CONF,
    find_odd_modes,
    judge_mode,
    make_row,
    read_setting,
    read_settings,
)
from builder.check.rule import Hit, Rule
from builder.check.units import is_masked
from builder.extraction.names import show
from builder.model.finding import Severity
from builder.wsl.units import UNITS

_BINARY = (0o775, 0o755, 0o555)
_MACHINES = {"amd64": (2, 62), "arm64": (2, 183)}
_WANTS = ("usr/local/lib/systemd/system", "usr/lib/systemd/system", "etc/systemd/system")


def _wants_systemd(image: Image) -> bool:
    # The validator takes any text for true, "false" included.
    return bool(read_settings(image, WSL_CONF).get("boot.systemd"))


def _find_bad_init(image: Image) -> Iterator[Hit]:
    if _wants_systemd(image):
        yield from _judge_binary(image, "/sbin/init")


def _find_init_mode(image: Image) -> Iterator[Hit]:
    if _wants_systemd(image):
        yield from judge_mode("/sbin/init", image.find("/sbin/init"), _BINARY)


def _judge_binary(image: Image, path: str) -> Iterator[Hit]:
    node = image.find(path)
    architecture = image.options.architecture or "amd64"
    if node is None:
        yield Hit(path, "is missing")
    elif node.machine != _MACHINES[architecture]:
        yield Hit(path, f"is no ELF program for {architecture}")


def _find_bad_passwd(image: Image) -> Iterator[Hit]:
    if image.find("etc/passwd") is None:
        yield Hit("/etc/passwd", "is missing")
        return
    names: dict[int, str] = {}
    for line in image.lines("etc/passwd"):
        fields = line.split(":")
        if len(fields) != 7:
            yield Hit("/etc/passwd", f"a line has {len(fields)} fields, expected 7")
        elif not fields[2].isdecimal():
            yield Hit("/etc/passwd", f"the uid {fields[2]!r} is no number")
        elif int(fields[2]) in names:
            yield Hit("/etc/passwd", f"uid {fields[2]} is there twice")
        else:
            names[int(fields[2])] = fields[0]
    if names.get(0) != "root":
        yield Hit(
            "/etc/passwd", "no user has uid 0" if 0 not in names else f"uid 0 is {names[0]!r}, expected root"
        )


def _find_taken_uid(image: Image) -> Iterator[Hit]:
    uid = read_setting(image, "oobe.defaultuid")
    if uid and any(user[2:3] == (uid,) for user in image.users):
        yield Hit("/etc/passwd", f"a user with oobe.defaultUid {uid} is there already")


def _find_no_shadow(image: Image) -> Iterator[Hit]:
    if image.find("etc/shadow") is None:
        yield Hit("/etc/shadow", "is missing")


def _find_shadow_mode(image: Image) -> Iterator[Hit]:
    yield from judge_mode("/etc/shadow", image.find("etc/shadow"), (0o640, 0o600, 0), group=False)


def _find_bad_shell(image: Image) -> Iterator[Hit]:
    if image.find("/bin/bash") is not None:
        yield from _judge_binary(image, "/bin/bash")
    yield from _judge_binary(image, "/bin/sh")


def _find_shell_mode(image: Image) -> Iterator[Hit]:
    for path in ("/bin/bash", "/bin/sh"):
        yield from judge_mode(path, image.find(path), _BINARY)


def _find_units(image: Image) -> Iterator[Hit]:
    discouraged = {unit.name for unit in UNITS if unit.discouraged}
    for folder in _WANTS:
        for path, node in image.below(folder):
            name = path.rpartition("/")[2]
            inside = path.rpartition("/")[0].endswith(".target.wants")
            if inside and name in discouraged and node.target != b"/dev/null" and not is_masked(image, name):
                yield Hit(path, f"{name} is enabled")


def _find_labels(image: Image) -> Iterator[Hit]:
    for name, paths in sorted(image.collected.xattrs.items()):
        if name.startswith(("security.selinux", "security.ima", "security.evm")):
            yield Hit(show(paths[0]), f"{len(paths)} members have {name}")


RULES: tuple[Rule[Image], ...] = (
    make_row("19I", Severity.ERROR, "boot.systemd is set and /sbin/init is no program", _find_bad_init),
    make_row("19M", Severity.WARNING, "Mode or owner of /sbin/init", _find_init_mode),
    make_row("20", Severity.ERROR, "/etc/passwd is missing or malformed", _find_bad_passwd),
    make_row("20W", Severity.WARNING, "Mode or owner of /etc/passwd", find_odd_modes("/etc/passwd", PLAIN)),
    make_row("20U", Severity.WARNING, "The uid of the first user is taken", _find_taken_uid),
    make_row("21", Severity.ERROR, "No /etc/shadow", _find_no_shadow),
    make_row("21W", Severity.WARNING, "Mode or owner of /etc/shadow", _find_shadow_mode),
    make_row("22", Severity.ERROR, "/bin/sh or /bin/bash is no program of the architecture", _find_bad_shell),
    make_row("22W", Severity.WARNING, "Mode or owner of /bin/sh or /bin/bash", _find_shell_mode),
    make_row("23W", Severity.WARNING, "A discouraged unit is enabled", _find_units),
    make_row("24W", Severity.WARNING, "Labels of SELinux, IMA or EVM", _find_labels),
)
