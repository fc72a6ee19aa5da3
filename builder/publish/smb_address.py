"""What an smb:// address means, and who logs in."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from builder.core.errors import UsageError

_PORT = 445
USER, PASSWORD = "WSLIMG_SMB_USER", "WSLIMG_SMB_PASSWORD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`folder` is below the share `name` of `host`, with `/`; without `user`, Kerberos logs in."""

    host: str
    port: int
    name: str
    folder: str
    user: str
    password: str

    @property
    def place(self) -> str:
        """The address without login."""
        port = "" if self.port == _PORT else f":{self.port}"
        return f"smb://{self.host}{port}/{self.name}{self.folder and '/'}{self.folder}"

    def locate(self, path: str) -> str:
        r"""\\HOST\NAME\... of `path` below the folder."""
        parts = [self.host, self.name, *self.folder.split("/"), *path.split("/")]
        return "\\\\" + "\\".join(part for part in parts if part)


def parse_share(address: str, environment: Mapping[str, str] = os.environ) -> Share:
    """What smb://[[DOMAIN;]USER[:PASSWORD]@]HOST[:PORT]/SHARE[/FOLDER] names.

    The login is that of the address, of the variables WSLIMG_SMB_USER (DOMAIN\\USER or USER@REALM) and
    WSLIMG_SMB_PASSWORD, or of ~/.netrc. Raises UsageError.
    """
    parts = urlsplit(address)
    share, _, folder = unquote(parts.path).strip("/").partition("/")
    if not parts.hostname or not share:
        raise UsageError("names no share", where="smb://", fix="write smb://SERVER/SHARE/FOLDER")
    user, password = _find_login(parts.hostname, parts.username, parts.password, environment)
    return Share(
        host=parts.hostname,
        port=parts.port or _PORT,
        name=share,
        folder=folder.strip("/"),
        user=user,
        password=password,
    )


def _find_login(
    host: str, user: str | None, password: str | None, environment: Mapping[str, str]
) -> tuple[str, str]:
    if user:
        return unquote(user).replace(";", "\\"), unquote(password or "") or environment.get(PASSWORD, "")
    if environment.get(USER):
        return environment[USER], environment.get(PASSWORD, "")
    return _read_netrc(host, Path(environment.get("NETRC") or Path.home() / ".netrc"))


def _read_netrc(host: str, file: Path) -> tuple[str, str]:
    """What `file` has for `host`; a file that cannot be read has nothing (netrc(5))."""
    try:
        found = netrc.netrc(file).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return "", ""
    return (found[0], found[2] or "") if found else ("", "")
