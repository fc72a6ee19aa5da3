"""Rules about what the settings of WSL's configuration files say: names, users, commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.model.entry import Kind
from builder.model.finding import Severity
from builder.wsl.names import clean_hostname, doubt_name, refuse_name

_OOBE = "microsoft/WSL src/linux/init/init.cpp"
_REGISTER = "microsoft/WSL src/windows/service/exe/LxssUserSession.cpp:s_ValidateDistroName"
_CONF = "/etc/wsl-distribution.conf"
_PATHS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_BUILTINS = frozenset(
    (
        "[",
        "cd",
        "command",
        "echo",
        "eval",
        "exec",
        "export",
        "if",
        "for",
        "test",
        "true",
        "false",
        "while",
        ":",
    )
)


def _default_name(image: Image) -> str | None:
    name = image.setting("oobe.defaultName")
    return name if isinstance(name, str) else None


def _find_no_name(image: Image) -> Iterator[Hit]:
    if image.distribution_conf is not None and _default_name(image) is None:
        yield Hit(_CONF, "oobe.defaultName is not set")


def _find_bad_name(image: Image) -> Iterator[Hit]:
    name = _default_name(image)
    if name is not None and (refusal := refuse_name(name)):
        yield Hit(_CONF, f"oobe.defaultName {name!r} {refusal}")


def _find_doubtful_name(image: Image) -> Iterator[Hit]:
    name = _default_name(image)
    if name is not None and not refuse_name(name):
        yield from (Hit(_CONF, f"oobe.defaultName {name!r} {doubt}") for doubt in doubt_name(name))


def _user_ids(image: Image) -> set[str]:
    return {user[2] for user in image.users if len(user) > 2}


def _find_no_default_user(image: Image) -> Iterator[Hit]:
    uid = image.setting("oobe.defaultUid")
    if uid is not None and not image.setting("oobe.command") and str(uid) not in _user_ids(image):
        yield Hit(_CONF, f"oobe.defaultUid is {uid}, which neither exists nor is created")


def _find_command_without_uid(image: Image) -> Iterator[Hit]:
    if image.setting("oobe.command") and image.setting("oobe.defaultUid") is None:
        yield Hit(_CONF, "oobe.command is set, but oobe.defaultUid is not")


def _find_octal_uid(image: Image) -> Iterator[Hit]:
    config = image.distribution_conf
    for key, value in config.entries if config else ():
        if key.lower() == "oobe.defaultuid" and value.isdigit() and value.startswith(b"0") and value != b"0":
            yield Hit(_CONF, f"oobe.defaultUid {value.decode()} is read as octal")


def _program(command: object) -> str | None:
    """The first word of a shell command, None where it is none that can be looked up."""
    if not isinstance(command, str) or not command.strip():
        return None
    try:
        word = shlex.split(command)[0]
    except ValueError:
        return command.split()[0]
    return None if word in _BUILTINS or "=" in word or "$" in word or word.startswith("(") else word


def _refuse_program(image: Image, command: object) -> str:
    word = _program(command)
    if word is None:
        return ""
    places = [word] if "/" in word else [f"{folder}/{word}" for folder in _PATHS]
    nodes = [node for place in places if (node := image.find(place)) is not None]
    if not nodes:
        return f"{word} does not exist"
    executable = any(node.mode & 0o111 and node.kind is Kind.FILE for node in nodes)
    return "" if executable else f"{word} is not executable"


def _find_bad_oobe(image: Image) -> Iterator[Hit]:
    if refusal := _refuse_program(image, image.setting("oobe.command")):
        yield Hit(_CONF, f"oobe.command: {refusal}")


def _find_bad_boot_command(image: Image) -> Iterator[Hit]:
    if refusal := _refuse_program(image, image.setting("boot.command")):
        yield Hit("/etc/wsl.conf", f"boot.command: {refusal}")


def _find_unknown_user(image: Image) -> Iterator[Hit]:
    name = image.setting("user.default")
    if isinstance(name, str) and name and name not in {user[0] for user in image.users}:
        yield Hit("/etc/wsl.conf", f"user.default is {name!r}, which is not in /etc/passwd")


def _find_systemd_on_wsl1(image: Image) -> Iterator[Hit]:
    if image.options.wsl1 and image.systemd:
        yield Hit("/etc/wsl.conf", "boot.systemd is true, and WSL 1 has no systemd")


def _find_odd_hostname(image: Image) -> Iterator[Hit]:
    name = image.setting("network.hostname")
    if isinstance(name, str) and (cleaned := clean_hostname(name)) != name:
        yield Hit("/etc/wsl.conf", f"network.hostname {name!r} becomes {cleaned!r}")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL111",
        severity=Severity.WARNING,
        title="The image has no name of its own",
        why="installing it needs --name, a double click fails after the whole extraction",
        source="microsoft/WSL src/linux/init/main.cpp:PostProcessImportedDistribution",
        fix="set oobe.defaultName",
        find=_find_no_name,
    ),
    Rule(
        id="WSL112",
        severity=Severity.ERROR,
        title="WSL refuses the name of the image",
        why="the installation fails with E_INVALIDARG after the whole extraction",
        source=_REGISTER,
        fix="use letters, digits, '.', '_' and '-'",
        find=_find_bad_name,
    ),
    Rule(
        id="WSL113",
        severity=Severity.WARNING,
        title="Windows may not like the name of the image",
        why="the name becomes that of a shortcut and of files",
        source="https://learn.microsoft.com/windows/win32/fileio/naming-a-file",
        fix="choose another name",
        find=_find_doubtful_name,
    ),
    Rule(
        id="WSL114",
        severity=Severity.ERROR,
        title="The default user does not exist",
        why="sessions start as a uid without name, home and shell",
        source=_OOBE,
        fix="create the user in the image, or by oobe.command",
        find=_find_no_default_user,
    ),
    Rule(
        id="WSL115",
        severity=Severity.WARNING,
        title="The user of the first start does not become the default",
        why="sessions stay with root after oobe.command has created a user",
        source=_OOBE,
        fix="set oobe.defaultUid = 1000 and create the user with it",
        find=_find_command_without_uid,
    ),
    Rule(
        id="WSL116",
        severity=Severity.WARNING,
        title="A uid is octal",
        why="WSL reads integers as C does: 01000 is 512",
        source="microsoft/WSL src/shared/configfile/configfile.cpp",
        fix="write it without leading zeros",
        find=_find_octal_uid,
    ),
    Rule(
        id="WSL117",
        severity=Severity.ERROR,
        title="The command of the first start cannot run",
        why="the first interactive start fails, and every one after it",
        source=_OOBE,
        fix="ship the program, mode 0755",
        find=_find_bad_oobe,
    ),
    Rule(
        id="WSL118",
        severity=Severity.WARNING,
        title="The command of every start cannot run",
        why="it fails at every start, and only the log of WSL tells",
        source="microsoft/WSL src/linux/init/config.cpp",
        fix="ship the program, mode 0755, or remove boot.command",
        find=_find_bad_boot_command,
    ),
    Rule(
        id="WSL119",
        severity=Severity.ERROR,
        title="The user of sessions does not exist",
        why="WSL looks it up in /etc/passwd only, and then starts no session",
        source="microsoft/WSL src/linux/init/config.cpp; microsoft/WSL#9649",
        fix="create the user in the image, or use oobe.defaultUid",
        find=_find_unknown_user,
    ),
    Rule(
        id="WSL120",
        severity=Severity.WARNING,
        title="systemd is on and WSL 1 is a target",
        why="WSL 1 ignores the setting: services do not start",
        source="microsoft/WSL src/linux/init/init.cpp",
        fix="do not depend on services, or leave WSL 1",
        find=_find_systemd_on_wsl1,
    ),
    Rule(
        id="WSL121",
        severity=Severity.WARNING,
        title="WSL changes the host name",
        why="characters that host names cannot have are dropped",
        source="microsoft/WSL src/shared/inc/stringshared.h:CleanHostname",
        fix="use letters, digits, '-' and single dots, at most 64",
        find=_find_odd_hostname,
    ),
)
