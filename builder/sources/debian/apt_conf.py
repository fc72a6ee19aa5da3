"""What the host's apt knows about reaching archives: sources, proxies and logins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from builder.core.http import Route
from builder.sources.debian.deb822 import parse_paragraphs

_COMMENT = r"//[^\n]*|\#[^\n]*|/\*.*?\*/"
_TOKEN = re.compile(rf'{_COMMENT}|"(?:[^"\\]|\\.)*"|[{{}};]|(?:(?!//|/\*)[^\s{{}};"])+', re.DOTALL)


class Login(NamedTuple):
    """A line of auth.conf(5). `scheme` is empty where none was given, `path` a prefix."""

    scheme: str
    host: str
    path: str
    user: str
    password: str


class AptSource(NamedTuple):
    """An archive the host installs from."""

    uri: str
    suites: tuple[str, ...]


def host_sources(root: Path = Path("/")) -> tuple[AptSource, ...]:
    """The enabled binary sources of the host, deb822 and one-line, in apt's order (sources.list(5))."""
    folder = root / "etc/apt/sources.list.d"
    files = [root / "etc/apt/sources.list", *sorted([*folder.glob("*.list"), *folder.glob("*.sources")])]
    found: list[AptSource] = []
    for path in files:
        text = _text(path)
        found += _deb822_sources(text) if path.suffix == ".sources" else _line_sources(text)
    return tuple(found)


def host_route(root: Path = Path("/")) -> HostRoute:
    """Proxies and logins of the host's apt."""
    conf = sorted((root / "etc/apt/apt.conf.d").glob("*"))
    names = [path for path in conf if re.fullmatch(r"[\w.-]+", path.name) and path.suffix in ("", ".conf")]
    text = "\n".join(_text(path) for path in [*names, root / "etc/apt/apt.conf"])
    auth = [root / "etc/apt/auth.conf", *sorted((root / "etc/apt/auth.conf.d").glob("*.conf"))]
    logins = [login for path in auth for login in parse_logins(_text(path))]
    return HostRoute(dict(parse_configuration(text)), tuple(logins))


@dataclass(frozen=True, slots=True)
class HostRoute:
    """Chooses proxy and login for an address as the host's apt does."""

    settings: dict[str, str]
    logins: tuple[Login, ...]

    def __call__(self, url: str) -> Route:
        """The route to `url`: `Acquire::http::Proxy` (per host before general) and auth.conf."""
        parts = urlsplit(url)
        key = f"acquire::{parts.scheme}::proxy"
        proxy = self.settings.get(f"{key}::{parts.hostname}", self.settings.get(key, ""))
        return Route(proxy="DIRECT" if proxy.lower() == "direct" else proxy, login=self._login(url))

    def _login(self, url: str) -> tuple[str, str] | None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        for login in self.logins:
            # Without a scheme apt sends logins over TLS only: apt_auth.conf(5).
            fits = parts.scheme == login.scheme if login.scheme else parts.scheme == "https"
            if fits and login.host in (host, parts.hostname) and parts.path.startswith(login.path):
                return login.user, login.password
        return None


def parse_logins(text: str) -> Iterator[Login]:
    """The entries of an auth.conf: `machine [SCHEME://]HOST[:PORT][/PATH] login USER password WORD`."""
    words = iter(re.sub(r"(?m)^\s*#.*$", "", text).split())
    machine = user = ""
    for word in words:
        if word == "machine":
            machine, user = next(words, ""), ""
        elif word == "login":
            user = next(words, "")
        elif word == "password" and machine:
            scheme, _, rest = machine.rpartition("://")
            host, slash, path = rest.partition("/")
            yield Login(scheme, host, slash + path, user, next(words, ""))


def parse_configuration(text: str) -> Iterator[tuple[str, str]]:
    """The settings of apt.conf(5) as (name in lower case, value): blocks and `A::B "value";` alike."""
    scopes: list[str] = []
    pending: list[str] = []
    for word in _TOKEN.findall(text):
        if word.startswith(("//", "/*", "#")):
            continue
        if word == "{":
            scopes.append(pending[0] if pending else "")
            pending = []
        elif word == "}":
            scopes, pending = scopes[:-1], []
        elif word == ";":
            if len(pending) == 2:
                yield "::".join([*scopes, pending[0]]).lower(), pending[1].strip('"')
            pending = []
        else:
            pending.append(word)


def _deb822_sources(text: str) -> Iterable[AptSource]:
    for fields in parse_paragraphs(text):
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false", "0")
        if enabled and "deb" in fields.get("types", "").split():
            for uri in fields.get("uris", "").split():
                yield AptSource(uri, tuple(fields.get("suites", "").split()))


def _line_sources(text: str) -> Iterable[AptSource]:
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)", line)
        if match:
            yield AptSource(match[1], (match[2],))


def _text(path: Path) -> str:
    """The text of `path`, empty where there is none for us: logins are often readable by root alone."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError):
        return ""
