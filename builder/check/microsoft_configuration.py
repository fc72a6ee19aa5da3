"""Microsoft's verdicts on the configuration files of WSL and what they name."""

from __future__ import annotations

from collections.abc import Iterator
from configparser import Error

from builder.check.image import Image
from builder.check.microsoft_settings import (
    CONF,
    PLAIN,
    WSL_CONF,
    Find,
    find_odd_modes,
    judge_mode,
    make_row,
    parse_settings,
    read_setting,
    read_settings,
)
from builder.check.rule import Hit, Rule
from builder.extraction.tree import Node
from builder.model.finding import Severity
from builder.wsl.keys import ConfigFile, validator_accepts
from builder.wsl.limits import ICON

_PROGRAM = (0o775, 0o755)


def _find_crash(image: Image) -> Iterator[Hit]:
    for path in (CONF, WSL_CONF):
        try:
            parse_settings(image, path)
        except (Error, UnicodeDecodeError) as error:
            yield Hit(path, f"the validator stops here: {str(error).splitlines()[0]}")


def _literal(image: Image, path: str) -> Node | None:
    """The member of that very path, no link followed."""
    node = image.tree.nodes.get(path.encode("utf-8", "surrogateescape").strip(b"/"))
    return None if node is None or node.implied else node


def _find_no_conf(image: Image) -> Iterator[Hit]:
    if image.find(CONF) is None:
        yield Hit(CONF, "is missing")


def _find_keys(file: ConfigFile) -> Find:
    def find(image: Image) -> Iterator[Hit]:
        for key in read_settings(image, file.path):
            if not validator_accepts(file, key):
                yield Hit(file.path, f"{key} is not a key it knows")

    return find


def _find_absent(key: str) -> Find:
    def find(image: Image) -> Iterator[Hit]:
        path = read_setting(image, key)
        if path and _literal(image, path) is None:
            yield Hit(path, f"does not exist as a member, but {key} names it")

    return find


def _find_large(key: str) -> Find:
    def find(image: Image) -> Iterator[Hit]:
        node = _literal(image, read_setting(image, key)) if read_setting(image, key) else None
        if node is not None and node.size > ICON:
            yield Hit(read_setting(image, key), f"has {node.size} bytes, at most {ICON} are accepted")

    return find


def _find_odd(key: str, modes: tuple[int, ...], folders: tuple[str, ...]) -> Find:
    def find(image: Image) -> Iterator[Hit]:
        path = read_setting(image, key)
        if path:
            yield from judge_mode(path, _literal(image, path), modes)
            if not path.startswith(folders):
                yield Hit(path, f"is not below {' or '.join(folders)}")

    return find


def _find_uid(image: Image) -> Iterator[Hit]:
    uid = read_setting(image, "oobe.defaultuid")
    if "oobe.defaultuid" in read_settings(image) and uid != "1000":
        yield Hit(CONF, f"oobe.defaultUid is {uid!r}, expected 1000")


def _find_uid_crash(image: Image) -> Iterator[Hit]:
    uid = read_setting(image, "oobe.defaultuid")
    if uid:
        try:
            int(uid)
        except ValueError:
            yield Hit(CONF, f"the validator stops here: oobe.defaultUid {uid!r} is no decimal number")


def _find_no_icon(image: Image) -> Iterator[Hit]:
    if image.find(CONF) and not read_setting(image, "shortcut.icon"):
        yield Hit(CONF, "shortcut.icon is not set")


def _find_default_user(image: Image) -> Iterator[Hit]:
    if read_settings(image, WSL_CONF).get("user.default"):
        yield Hit(WSL_CONF, "user.default is set")


RULES: tuple[Rule[Image], ...] = (
    make_row("13", Severity.ERROR, "No wsl-distribution.conf", _find_no_conf),
    make_row("13W", Severity.WARNING, "Mode or owner of wsl-distribution.conf", find_odd_modes(CONF, PLAIN)),
    make_row(
        "14", Severity.ERROR, "Unknown key in wsl-distribution.conf", _find_keys(ConfigFile.DISTRIBUTION_CONF)
    ),
    make_row("14X", Severity.ERROR, "A configuration file that stops the validator", _find_crash),
    make_row("15", Severity.ERROR, "No member of the path oobe.command", _find_absent("oobe.command")),
    make_row(
        "15W",
        Severity.WARNING,
        "Mode, owner or place of oobe.command",
        _find_odd("oobe.command", _PROGRAM, ("/usr/lib/wsl", "/usr/libexec/wsl")),
    ),
    make_row("16W", Severity.WARNING, "oobe.defaultUid is not 1000", _find_uid),
    make_row("16X", Severity.ERROR, "oobe.defaultUid stops the validator", _find_uid_crash),
    make_row("17", Severity.ERROR, "No member of the path shortcut.icon", _find_absent("shortcut.icon")),
    make_row("17S", Severity.ERROR, "The icon is too large", _find_large("shortcut.icon")),
    make_row("17A", Severity.WARNING, "No icon", _find_no_icon),
    make_row(
        "17W",
        Severity.WARNING,
        "Mode, owner or place of the icon",
        _find_odd("shortcut.icon", PLAIN, ("/usr/lib/wsl", "/usr/share/wsl")),
    ),
    make_row(
        "18",
        Severity.ERROR,
        "No member of the path windowsterminal.profileTemplate",
        _find_absent("windowsterminal.profiletemplate"),
    ),
    make_row(
        "18S", Severity.ERROR, "The profile is too large", _find_large("windowsterminal.profiletemplate")
    ),
    make_row(
        "18W",
        Severity.WARNING,
        "Mode, owner or place of the profile",
        _find_odd("windowsterminal.profiletemplate", (0o660, 0o640), ("/usr/lib/wsl",)),
    ),
    make_row("19", Severity.ERROR, "Unknown key in wsl.conf", _find_keys(ConfigFile.WSL_CONF)),
    make_row("19W", Severity.WARNING, "Mode or owner of wsl.conf", find_odd_modes(WSL_CONF, PLAIN)),
    make_row("19U", Severity.WARNING, "user.default is set", _find_default_user),
)
