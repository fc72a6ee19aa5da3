"""The verdicts of Microsoft's validator, quirks included (microsoft/WSL distributions/validate-modern.py).

The number of a rule is the validator's check in its own order; rows that end in W are its warnings. What is a
traceback there is an error here. Links are followed only where it follows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from configparser import ConfigParser, Error

from builder.check.boot import is_masked
from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.names import show
from builder.extraction.tree import Node
from builder.model.finding import Severity
from builder.wsl.keys import ConfigFile, validator_accepts
from builder.wsl.limits import ICON
from builder.wsl.units import UNITS

_CONF = "/etc/wsl-distribution.conf"
_WSL_CONF = "/etc/wsl.conf"
_PLAIN = (0o664, 0o644)
_PROGRAM = (0o775, 0o755)
_BINARY = (0o775, 0o755, 0o555)
_MACHINES = {"amd64": (2, 62), "arm64": (2, 183)}
_WANTS = ("usr/local/lib/systemd/system", "usr/lib/systemd/system", "etc/systemd/system")
Find = Callable[[Image], Iterator[Hit]]


def _read(image: Image, path: str) -> dict[str, str] | None:
    """The settings of a file as Python's configparser reads it; None without the file. Raises its errors."""
    data = image.content(path)
    if data is None:
        return None
    parser = ConfigParser()
    parser.read_string(data.decode("utf-8"))
    return {f"{name}.{key}": value for name in parser.sections() for key, value in parser[name].items()}


def _settings(image: Image, path: str = _CONF) -> dict[str, str]:
    try:
        return _read(image, path) or {}
    except (Error, UnicodeDecodeError):
        return {}


def _find_crash(image: Image) -> Iterator[Hit]:
    for path in (_CONF, _WSL_CONF):
        try:
            _read(image, path)
        except (Error, UnicodeDecodeError) as error:
            yield Hit(path, f"the validator stops here: {str(error).splitlines()[0]}")


def _literal(image: Image, path: str) -> Node | None:
    """The member of that very path, no link followed."""
    node = image.tree.nodes.get(path.encode("utf-8", "surrogateescape").strip(b"/"))
    return None if node is None or node.implied else node


def _mode(path: str, node: Node | None, modes: tuple[int, ...], *, group: bool = True) -> Iterator[Hit]:
    if node is None:
        return
    if node.mode not in modes:
        expected = " or ".join(f"{mode:04o}" for mode in modes)
        yield Hit(path, f"has mode {node.mode:04o}, expected {expected}")
    if node.uid or (group and node.gid):
        yield Hit(path, f"belongs to {node.uid}:{node.gid}, expected root")


def _find_no_conf(image: Image) -> Iterator[Hit]:
    if image.find(_CONF) is None:
        yield Hit(_CONF, "is missing")


def _find_modes(path: str, modes: tuple[int, ...]) -> Find:
    return lambda image: _mode(path, image.find(path), modes)


def _find_keys(file: ConfigFile) -> Find:
    def find(image: Image) -> Iterator[Hit]:
        for key in _settings(image, file.path):
            if not validator_accepts(file, key):
                yield Hit(file.path, f"{key} is not a key it knows")

    return find


def _named(image: Image, key: str) -> str:
    return _settings(image).get(key, "")


def _find_absent(key: str) -> Find:
    def find(image: Image) -> Iterator[Hit]:
        path = _named(image, key)
        if path and _literal(image, path) is None:
            yield Hit(path, f"does not exist as a member, but {key} names it")

    return find


def _find_large(key: str) -> Find:
    def find(image: Image) -> Iterator[Hit]:
        node = _literal(image, _named(image, key)) if _named(image, key) else None
        if node is not None and node.size > ICON:
            yield Hit(_named(image, key), f"has {node.size} bytes, at most {ICON} are accepted")

    return find


def _find_odd(key: str, modes: tuple[int, ...], folders: tuple[str, ...]) -> Find:
    def find(image: Image) -> Iterator[Hit]:
        path = _named(image, key)
        if path:
            yield from _mode(path, _literal(image, path), modes)
            if not path.startswith(folders):
                yield Hit(path, f"is not below {' or '.join(folders)}")

    return find


def _find_uid(image: Image) -> Iterator[Hit]:
    uid = _named(image, "oobe.defaultuid")
    if "oobe.defaultuid" in _settings(image) and uid != "1000":
        yield Hit(_CONF, f"oobe.defaultUid is {uid!r}, expected 1000")


def _find_uid_crash(image: Image) -> Iterator[Hit]:
    uid = _named(image, "oobe.defaultuid")
    if uid:
        try:
            int(uid)
        except ValueError:
            yield Hit(_CONF, f"the validator stops here: oobe.defaultUid {uid!r} is no decimal number")


def _find_no_icon(image: Image) -> Iterator[Hit]:
    if image.find(_CONF) and not _named(image, "shortcut.icon"):
        yield Hit(_CONF, "shortcut.icon is not set")


def _wants_systemd(image: Image) -> bool:
    # The validator takes any text for true, "false" included.
    return bool(_settings(image, _WSL_CONF).get("boot.systemd"))


def _find_bad_init(image: Image) -> Iterator[Hit]:
    if _wants_systemd(image):
        yield from _judge_binary(image, "/sbin/init")


def _find_init_mode(image: Image) -> Iterator[Hit]:
    if _wants_systemd(image):
        yield from _mode("/sbin/init", image.find("/sbin/init"), _BINARY)


def _judge_binary(image: Image, path: str) -> Iterator[Hit]:
    node = image.find(path)
    architecture = image.options.architecture or "amd64"
    if node is None:
        yield Hit(path, "is missing")
    elif node.machine != _MACHINES[architecture]:
        yield Hit(path, f"is no ELF program for {architecture}")


def _find_default_user(image: Image) -> Iterator[Hit]:
    if _settings(image, _WSL_CONF).get("user.default"):
        yield Hit(_WSL_CONF, "user.default is set")


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
    uid = _named(image, "oobe.defaultuid")
    if uid and any(user[2:3] == (uid,) for user in image.users):
        yield Hit("/etc/passwd", f"a user with oobe.defaultUid {uid} is there already")


def _find_no_shadow(image: Image) -> Iterator[Hit]:
    if image.find("etc/shadow") is None:
        yield Hit("/etc/shadow", "is missing")


def _find_shadow_mode(image: Image) -> Iterator[Hit]:
    yield from _mode("/etc/shadow", image.find("etc/shadow"), (0o640, 0o600, 0), group=False)


def _find_bad_shell(image: Image) -> Iterator[Hit]:
    if image.find("/bin/bash") is not None:
        yield from _judge_binary(image, "/bin/bash")
    yield from _judge_binary(image, "/bin/sh")


def _find_shell_mode(image: Image) -> Iterator[Hit]:
    for path in ("/bin/bash", "/bin/sh"):
        yield from _mode(path, image.find(path), _BINARY)


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


def _row(number: str, severity: Severity, title: str, find: Find) -> Rule[Image]:
    return Rule(
        id=f"MS{number}",
        severity=severity,
        title=title,
        why="Microsoft's list of distributions accepts no image with errors",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="do as the message says, if the image is meant for that list",
        find=find,
    )


RULES: tuple[Rule[Image], ...] = (
    _row("13", Severity.ERROR, "No wsl-distribution.conf", _find_no_conf),
    _row("13W", Severity.WARNING, "Mode or owner of wsl-distribution.conf", _find_modes(_CONF, _PLAIN)),
    _row(
        "14", Severity.ERROR, "Unknown key in wsl-distribution.conf", _find_keys(ConfigFile.DISTRIBUTION_CONF)
    ),
    _row("14X", Severity.ERROR, "A configuration file that stops the validator", _find_crash),
    _row("15", Severity.ERROR, "No member of the path oobe.command", _find_absent("oobe.command")),
    _row(
        "15W",
        Severity.WARNING,
        "Mode, owner or place of oobe.command",
        _find_odd("oobe.command", _PROGRAM, ("/usr/lib/wsl", "/usr/libexec/wsl")),
    ),
    _row("16W", Severity.WARNING, "oobe.defaultUid is not 1000", _find_uid),
    _row("16X", Severity.ERROR, "oobe.defaultUid stops the validator", _find_uid_crash),
    _row("17", Severity.ERROR, "No member of the path shortcut.icon", _find_absent("shortcut.icon")),
    _row("17S", Severity.ERROR, "The icon is too large", _find_large("shortcut.icon")),
    _row("17A", Severity.WARNING, "No icon", _find_no_icon),
    _row(
        "17W",
        Severity.WARNING,
        "Mode, owner or place of the icon",
        _find_odd("shortcut.icon", _PLAIN, ("/usr/lib/wsl", "/usr/share/wsl")),
    ),
    _row(
        "18",
        Severity.ERROR,
        "No member of the path windowsterminal.profileTemplate",
        _find_absent("windowsterminal.profiletemplate"),
    ),
    _row("18S", Severity.ERROR, "The profile is too large", _find_large("windowsterminal.profiletemplate")),
    _row(
        "18W",
        Severity.WARNING,
        "Mode, owner or place of the profile",
        _find_odd("windowsterminal.profiletemplate", (0o660, 0o640), ("/usr/lib/wsl",)),
    ),
    _row("19", Severity.ERROR, "Unknown key in wsl.conf", _find_keys(ConfigFile.WSL_CONF)),
    _row("19W", Severity.WARNING, "Mode or owner of wsl.conf", _find_modes(_WSL_CONF, _PLAIN)),
    _row("19I", Severity.ERROR, "boot.systemd is set and /sbin/init is no program", _find_bad_init),
    _row("19M", Severity.WARNING, "Mode or owner of /sbin/init", _find_init_mode),
    _row("19U", Severity.WARNING, "user.default is set", _find_default_user),
    _row("20", Severity.ERROR, "/etc/passwd is missing or malformed", _find_bad_passwd),
    _row("20W", Severity.WARNING, "Mode or owner of /etc/passwd", _find_modes("/etc/passwd", _PLAIN)),
    _row("20U", Severity.WARNING, "The uid of the first user is taken", _find_taken_uid),
    _row("21", Severity.ERROR, "No /etc/shadow", _find_no_shadow),
    _row("21W", Severity.WARNING, "Mode or owner of /etc/shadow", _find_shadow_mode),
    _row("22", Severity.ERROR, "/bin/sh or /bin/bash is no program of the architecture", _find_bad_shell),
    _row("22W", Severity.WARNING, "Mode or owner of /bin/sh or /bin/bash", _find_shell_mode),
    _row("23W", Severity.WARNING, "A discouraged unit is enabled", _find_units),
    _row("24W", Severity.WARNING, "Labels of SELinux, IMA or EVM", _find_labels),
)
