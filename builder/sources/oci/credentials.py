"""Logins as `docker login` and `podman login` leave them: files with `auths`, and credential helpers.

Sources: docker/cli cli/config/configfile (auths, credsStore, credHelpers), docker/docker-credential-helpers
(the protocol), containers-auth.json(5) (the files of podman, keys with paths).
"""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.core.errors import ResolveError
from builder.sources.oci.reference import DOCKER_HUB

_TIMEOUT = 60
_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - the name that helpers give where the secret is a token


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """`identity` is a refresh token for the token server; without it `user` and `password` count."""

    user: str = ""
    password: str = ""
    identity: str = ""

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


def find_login(host: str, path: str, environment: Mapping[str, str]) -> Login | None:
    """The login for the repository `path` of `host`; None where nobody logged in. Raises ResolveError for
    files that cannot be read and helpers that fail."""
    for file in _files(environment):
        config = _read(file)
        if config is not None and (login := _find(config, host, path, environment, str(file))):
            return login
    return None


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME") or "/root")
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"


def _read(file: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise ResolveError("holds logins but is not readable", where=str(file)) from None
    except ValueError as error:
        raise ResolveError(f"is not JSON: {error}", where=str(file), fix="log in anew") from None
    if not isinstance(value, dict):
        raise ResolveError("holds no JSON object", where=str(file), fix="log in anew")
    return value


def _find(
    config: dict[str, Any], host: str, path: str, environment: Mapping[str, str], where: str
) -> Login | None:
    """A helper for the host outranks the store of all logins, which outranks the file."""
    helpers = config.get("credHelpers")
    helper = helpers.get(host) if isinstance(helpers, dict) else None
    key = _HUB_KEY if host == DOCKER_HUB else host
    for name in (helper, config.get("credsStore")):
        if name and (login := _ask_helper(str(name), key, environment)):
            return login
    auths = config.get("auths")
    auths = auths if isinstance(auths, dict) else {}
    for known in _keys(host, path):
        if isinstance(entry := auths.get(known), dict) and (login := _decode(entry, where)):
            return login
    return None


def _keys(host: str, path: str) -> Iterator[str]:
    """The keys a login can have, the most specific first: podman knows paths, old Docker addresses."""
    parts = path.split("/")
    yield from (f"{host}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1))
    yield from (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
    if host == DOCKER_HUB:
        yield from (_HUB_KEY, "index.docker.io", "registry-1.docker.io")


def _decode(entry: dict[str, Any], where: str) -> Login | None:
    user, password = str(entry.get("username", "")), str(entry.get("password", ""))
    if encoded := entry.get("auth"):
        try:
            user, _, password = b64decode(str(encoded), validate=True).decode().partition(":")
        except ValueError:
            raise ResolveError("has a login that is no base64", where=where, fix="log in anew") from None
    identity = str(entry.get("identitytoken", ""))
    if not identity and not user:
        return None
    return Login(user=user, password=password.rstrip("\0"), identity=identity)


def _ask_helper(name: str, key: str, environment: Mapping[str, str]) -> Login | None:
    """What `docker-credential-NAME get` answers for `key`."""
    program = f"docker-credential-{name}"
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise ResolveError(
            f"names the credential helper {name!r}", where="config.json", fix="correct the name"
        )
    try:
        done = subprocess.run(
            [program, "get"],
            input=key.encode(),
            capture_output=True,
            timeout=_TIMEOUT,
            env=dict(environment),
            check=False,
        )
    except FileNotFoundError:
        fix = "install it, or remove it from ~/.docker/config.json and log in anew"
        raise ResolveError("the credential helper is not installed", where=program, fix=fix) from None
    except subprocess.TimeoutExpired:
        raise ResolveError(f"gave no answer for {_TIMEOUT} seconds", where=program) from None
    return _read_helper(program, done.returncode, done.stdout)


def _read_helper(program: str, status: int, output: bytes) -> Login | None:
    """Helpers say on stdout why they have nothing, and there is a fixed sentence for an unknown host."""
    if status != 0:
        reason = output.decode(errors="replace").strip()
        if "credentials not found" in reason or not reason:
            return None
        raise ResolveError(f"failed: {reason[:200]}", where=program, fix="log in anew")
    try:
        answer = json.loads(output)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise ResolveError("gave an answer that is no login", where=program) from None
    return Login(identity=secret) if user == _TOKEN_USER else Login(user=user, password=secret)
