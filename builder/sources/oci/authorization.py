"""Logins and tokens for a repository: found when its registry asks for them, renewed when they expire."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from builder.core.errors import ResolveError
from builder.core.http import Answer, Http
from builder.sources.oci.challenge import Challenge, parse_challenges
from builder.sources.oci.credentials import Login, find_login
from builder.sources.oci.manifest import MAX_DOCUMENT
from builder.sources.oci.reference import Endpoint, is_loopback


class Authorization:
    """The header `value` for requests to `endpoint`, "" as long as the registry wanted none. Any number of
    threads may use and renew it."""

    def __init__(self, endpoint: Endpoint, http: Http, environment: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._http = http
        self._environment = environment
        self._lock = threading.Lock()
        self.value = ""

    def renew(self, header: str, used: str, where: str) -> None:
        """Replace `used`, which the registry refused with the WWW-Authenticate `header`, unless another
        thread did. `where` is what was asked for. Raises ResolveError."""
        with self._lock:
            if self.value == used:
                self.value = self._log_in(header, where)

    def _log_in(self, header: str, where: str) -> str:
        challenges = {challenge.scheme: challenge for challenge in parse_challenges(header)}
        login = find_login(self._endpoint.host, self._endpoint.path, self._environment)
        if "bearer" in challenges:
            return f"Bearer {self._fetch_token(challenges['bearer'], login, where)}"
        if "basic" in challenges and login is not None:
            return _basic(login)
        if "basic" in challenges:
            raise denied(where, self._endpoint.host, 401)
        raise ResolveError(f"the registry wants a login that is not known: {header!r}", where=where)

    def _fetch_token(self, challenge: Challenge, login: Login | None, where: str) -> str:
        """A token for what was asked, with `login` or anonymous (distribution specification, auth/token)."""
        realm = challenge.get("realm")
        self._check_realm(realm, where)
        fields = {"service": challenge.get("service"), "scope": self._scope(challenge)}
        if login is not None and login.identity:
            form = fields | {"grant_type": "refresh_token", "refresh_token": login.identity}
            answer = self._http.ask(realm, limit=MAX_DOCUMENT, form=form | {"client_id": "wslimg"})
        else:
            query = urlencode({name: value for name, value in fields.items() if value})
            url = f"{realm}{'&' if urlsplit(realm).query else '?'}{query}"
            answer = self._http.ask(
                url, limit=MAX_DOCUMENT, authorization="" if login is None else _basic(login)
            )
        return _read_token(answer, where, self._endpoint.host)

    def _scope(self, challenge: Challenge) -> str:
        return challenge.get("scope") or f"repository:{self._endpoint.path}:pull"

    def _check_realm(self, realm: str, where: str) -> None:
        """Passwords go to whom the registry names, but never in the clear if the registry itself is not."""
        parts = urlsplit(realm)
        plain_ok = self._endpoint.url.startswith("http:") or is_loopback(parts.netloc)
        if parts.scheme != "https" and not (parts.scheme == "http" and plain_ok):
            raise ResolveError(
                f"the registry sends logins to {realm!r}, expected an https address", where=where
            )


def denied(where: str, host: str, status: int) -> ResolveError:
    """The error of a registry `host` that lets nobody at `where`, or not with the login there is."""
    return ResolveError(
        f"the registry refuses access (it answered {status})",
        where=where,
        fix=f"check the name, and log in with `docker login {host}` or `podman login {host}`",
    )


def _basic(login: Login) -> str:
    return f"Basic {b64encode(f'{login.user}:{login.password}'.encode()).decode()}"


def _read_token(answer: Answer, where: str, host: str) -> str:
    if answer.status in (400, 401, 403):
        raise denied(where, host, answer.status)
    try:
        fields = json.loads(answer.body) if answer.status == 200 else {}
        token = fields.get("token") or fields.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise ResolveError(f"the token server answered {answer.status} without a token", where=where)
    return token
