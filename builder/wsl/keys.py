"""The keys that WSL reads from its two configuration files, and what Microsoft's validator thinks of them.

Sources: microsoft/WSL src/linux/init/WslDistributionConfig.cpp (wsl.conf), src/linux/init/main.cpp:
PostProcessImportedDistribution and src/linux/init/init.cpp (wsl-distribution.conf),
distributions/validate-modern.py, and https://learn.microsoft.com/windows/wsl/wsl-config.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

INT_MAX = 2**31 - 1

Value = bool | int | str | None
"""A typed value. Bytes that are not UTF-8 are surrogate escapes; None is a key that was never set."""


class ConfigFile(Enum):
    """The configuration files of an image; the value is the file's name."""

    WSL_CONF = "wsl.conf"
    DISTRIBUTION_CONF = "wsl-distribution.conf"

    @property
    def path(self) -> str:
        """The absolute path inside the image."""
        return f"/etc/{self.value}"


class KeyType(Enum):
    """How WSL reads a value. PATH and NAME are strings to its parser, checked only where they are used."""

    BOOL = "bool"
    INT = "int"
    STRING = "string"
    PATH = "path"
    NAME = "name"
    ENUM = "enum"


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key. `name` is "section.key" in WSL's spelling; WSL itself compares without regard to case.

    `default` is what holds without the key. `minimum` and `maximum` bound an INT where it makes sense; WSL
    takes any 32-bit integer. `choices` are the words of an ENUM. `since` is the first WSL or Windows with
    the key, empty when it is older than 2.4.4. `validated` says whether Microsoft's validator accepts it.
    """

    file: ConfigFile
    name: str
    type: KeyType
    default: Value
    meaning: str
    since: str = ""
    minimum: int = 0
    maximum: int = INT_MAX
    choices: tuple[str, ...] = ()
    octal: bool = False
    validated: bool = True


def _wsl(name: str, kind: KeyType, default: Value, meaning: str, since: str = "", **more: object) -> Key:
    return Key(
        file=ConfigFile.WSL_CONF,
        name=name,
        type=kind,
        default=default,
        meaning=meaning,
        since=since,
        **more,  # type: ignore[arg-type] # the rows below are the only callers
    )


def _distribution(name: str, kind: KeyType, default: Value, meaning: str) -> Key:
    return Key(
        file=ConfigFile.DISTRIBUTION_CONF,
        name=name,
        type=kind,
        default=default,
        meaning=meaning,
        since="WSL 2.4.4",
    )


_B, _I, _S, _E = KeyType.BOOL, KeyType.INT, KeyType.STRING, KeyType.ENUM
_BUILD = "Windows build "

WSL_CONF = (
    _wsl("automount.enabled", _B, True, "mount the Windows drives below automount.root", _BUILD + "17093"),
    _wsl("automount.root", _S, "/mnt", "where the drives are mounted", _BUILD + "17093"),
    _wsl("automount.options", _S, None, "options added to those of each drive's mount", _BUILD + "17093"),
    _wsl("automount.mountFsTab", _B, True, "run `mount -a` at start", _BUILD + "17093"),
    _wsl("automount.ldconfig", _B, True, "write /etc/ld.so.conf.d/ld.wsl.conf and run ldconfig at start"),
    _wsl("automount.cgroups", _E, "v2", "the cgroup hierarchy", "WSL 2.6.2", choices=("v1", "v2")),
    _wsl("filesystem.umask", _I, 0o022, "umask of sessions", _BUILD + "17093", maximum=0o777, octal=True),
    _wsl("interop.enabled", _B, True, "start Windows programs from Linux", _BUILD + "17763"),
    _wsl("interop.appendWindowsPath", _B, True, "append the Windows PATH to PATH", _BUILD + "17763"),
    _wsl("network.generateHosts", _B, True, "rewrite /etc/hosts at start", _BUILD + "17093"),
    _wsl("network.generateResolvConf", _B, True, "replace /etc/resolv.conf at start", _BUILD + "17093"),
    _wsl("network.hostname", _S, None, "the host name, instead of that of Windows"),
    _wsl("time.useWindowsTimezone", _B, True, "set /etc/localtime to the time zone of Windows"),
    _wsl("fileServer.enabled", _B, True, "serve \\\\wsl.localhost; undocumented"),
    _wsl("fileServer.logFile", _S, None, "where the file server logs; undocumented", validated=False),
    _wsl("fileServer.logLevel", _I, 4, "how much it logs; undocumented", maximum=5, validated=False),
    _wsl("fileServer.logTruncate", _B, True, "empty that log at start; undocumented", validated=False),
    _wsl("gpu.enabled", _B, True, "give access to the GPU"),
    _wsl("gpu.appendLibPath", _B, True, "append /usr/lib/wsl/lib to PATH"),
    _wsl("user.default", _S, None, "the user of a session, from /etc/passwd", _BUILD + "18980"),
    _wsl("boot.command", _S, None, "run by root's shell at every start", "Windows 11 or Server 2022"),
    _wsl("boot.systemd", _B, False, "make systemd PID 1; WSL 2 only", "WSL 0.67.6"),
    _wsl("boot.initTimeout", _I, 10_000, "milliseconds to wait for systemd; undocumented", validated=False),
    _wsl("boot.protectBinfmt", _B, True, "keep systemd-binfmt from removing WSL's interpreter"),
    _wsl("general.guiApplications", _B, True, "WSLg for this distribution; undocumented", validated=False),
)
"""The 25 keys of /etc/wsl.conf, in the order of WSL's own table."""

DISTRIBUTION_CONF = (
    _distribution("oobe.command", _S, None, "run by root's shell at the first interactive start"),
    _distribution("oobe.defaultUid", _I, None, "the user of sessions once oobe.command has succeeded"),
    _distribution("oobe.defaultName", KeyType.NAME, None, "the name to register; read at import"),
    _distribution("shortcut.icon", KeyType.PATH, None, "icon of the start menu entry; read at import"),
    _distribution("shortcut.enabled", _B, True, "make a start menu entry; read at import"),
    _distribution(
        "windowsterminal.profileTemplate", KeyType.PATH, None, "Windows Terminal profile; read at import"
    ),
    _distribution("windowsterminal.enabled", _B, True, "write a Windows Terminal profile; read at import"),
)
"""The 7 keys of /etc/wsl-distribution.conf."""

VALIDATOR_ONLY = ("general.hostname",)
"""What the validator takes for a key of wsl.conf and WSL does not: it warns at every start."""

_TABLE = {
    file: {key.name.lower(): key for key in (*WSL_CONF, *DISTRIBUTION_CONF) if key.file is file}
    for file in ConfigFile
}


def keys_of(file: ConfigFile) -> tuple[Key, ...]:
    """The keys of `file`, in the order of their table."""
    return tuple(_TABLE[file].values())


def find_key(file: ConfigFile, name: str) -> Key | None:
    """The key of `file` that WSL takes `name` for, whatever its case; None when it knows none."""
    return _TABLE[file].get(name.lower())


def validator_accepts(file: ConfigFile, name: str) -> bool:
    """Whether distributions/validate-modern.py passes the key; it too ignores case."""
    key = find_key(file, name)
    return key.validated if key else file is ConfigFile.WSL_CONF and name.lower() in VALIDATOR_ONLY
