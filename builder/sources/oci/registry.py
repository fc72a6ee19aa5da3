"""A registry over HTTP, read-only: the pull half of the OCI distribution specification."""

from __future__ import annotations

import json
import os
import threading
from base64 import b64encode
from collections.abc import Generator, Mapping
from contextlib import closing
from urllib.parse import urlencode, urlsplit

from builder.core.digests import sha256_bytes
from builder.core.errors import ResolveError
from builder.core.http import Answer, Http, NotFoundError, RefusedError, Route
from builder.sources.oci.challenge import Challenge, parse_challenges
from builder.sources.oci.credentials import Login, find_login
from builder.sources.oci.manifest import ACCEPTED, MAX_DOCUMENT, Descriptor
from builder.sources.oci.reference import Endpoint, is_loopback
from builder.sources.oci.unfold import verified


class Registry:
    """One repository. Any number of threads may use it; they share the login, which is found when the
    registry asks for it, and renewed when it expires."""

    def __init__(
        self, endpoint: Endpoint, *, http: Http | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.endpoint = endpoint
        self._http = http or Http(route=_route)
        self._environment = environment
        self._authorization = ""
        self._lock = threading.Lock()

    def where(self, wanted: str) -> str:
        """`HOST/PATH@DIGEST` or `HOST/PATH:TAG`, for messages."""
        mark = "@" if wanted.startswith("sha256:") else ":"
        return f"{self.endpoint.host}/{self.endpoint.path}{mark}{wanted}"

    def manifest(self, wanted: str) -> bytes:
        """The manifest or index of a tag or digest, the digest verified. Raises ResolveError."""
        where = self.where(wanted)
        url = f"{self.endpoint.url}/{self.endpoint.path}/manifests/{wanted}"
        answer = self._ask(url, where)
        data = answer.body
        if wanted.startswith("sha256:") and sha256_bytes(data) != wanted.removeprefix("sha256:"):
            raise ResolveError(
                f"the manifest has the digest sha256:{sha256_bytes(data)}",
                where=where,
                fix="a proxy or mirror altered it: try again, or choose another mirror",
            )
        return data

    def blob(self, descriptor: Descriptor) -> Generator[bytes, None, None]:
        """The content of a blob in pieces, verified at its end. Raises ResolveError."""
        where = self.where(f"sha256:{descriptor.digest}")
        with closing(self._blob(descriptor)) as chunks:
            yield from verified(chunks, descriptor, where)

    def _blob(self, descriptor: Descriptor) -> Generator[bytes, None, None]:
        """A login that expires on the way is renewed."""
        url = f"{self.endpoint.url}/{self.endpoint.path}/blobs/sha256:{descriptor.digest}"
        done, renewed = 0, False
        while True:
            used = self._authorization
            try:
                with closing(self._http.chunks(url, authorization=used, start=done)) as chunks:
                    for chunk in chunks:
                        done += len(chunk)
                        renewed = False
                        yield chunk
                return
            except RefusedError as error:
                where = self.where(f"sha256:{descriptor.digest}")
                if renewed:
                    raise _denied(where, self.endpoint.host, 401) from None
                self._log_in(error.challenge, used, where)
                renewed = True
            except NotFoundError:
                raise _missing(self.where(f"sha256:{descriptor.digest}")) from None

    def _ask(self, url: str, where: str) -> Answer:
        """The good answer to a request for a document. Raises ResolveError for any other."""
        used = self._authorization
        answer = self._http.ask(url, limit=MAX_DOCUMENT, accept=ACCEPTED, authorization=used)
        if answer.status == 401:
            self._log_in(answer.headers.get("www-authenticate", ""), used, where)
            answer = self._http.ask(
                url, limit=MAX_DOCUMENT, accept=ACCEPTED, authorization=self._authorization
            )
        if answer.status in (401, 403):
            raise _denied(where, self.endpoint.host, answer.status)
        if answer.status == 404:
            raise _missing(where)
        if answer.status != 200:
            raise ResolveError(f"the registry answered {answer.status}", where=where)
        return answer

    def _log_in(self, header: str, used: str, where: str) -> None:
        """Replace the authorization `used`, unless another thread did."""
        with self._lock:
            if self._authorization != used:
                return
            challenges = {challenge.scheme: challenge for challenge in parse_challenges(header)}
            login = find_login(self.endpoint.host, self.endpoint.path, self._environment)
            if "bearer" in challenges:
                self._authorization = f"Bearer {self._fetch_token(challenges['bearer'], login, where)}"
            elif "basic" in challenges and login is not None:
                self._authorization = _basic(login)
            elif "basic" in challenges:
                raise _denied(where, self.endpoint.host, 401)
            else:
                raise ResolveError(f"the registry wants a login that is not known: {header!r}", where=where)

    def _fetch_token(self, challenge: Challenge, login: Login | None, where: str) -> str:
        """A token for pulling, with `login` or for anybody (distribution specification, auth/token)."""
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
        return _read_token(answer, where, self.endpoint.host)

    def _scope(self, challenge: Challenge) -> str:
        return challenge.get("scope") or f"repository:{self.endpoint.path}:pull"

    def _check_realm(self, realm: str, where: str) -> None:
        """Passwords go to whom the registry names, but never in the clear if the registry itself is not."""
        parts = urlsplit(realm)
        plain_ok = self.endpoint.url.startswith("http:") or is_loopback(parts.netloc)
        if parts.scheme != "https" and not (parts.scheme == "http" and plain_ok):
            raise ResolveError(
                f"the registry sends logins to {realm!r}, expected an https address", where=where
            )


def _route(url: str) -> Route:
    """No proxy reaches this machine's own loopback."""
    return Route(proxy="DIRECT" if is_loopback(urlsplit(url).netloc.rpartition("@")[2]) else "")


def _basic(login: Login) -> str:
    return f"Basic {b64encode(f'{login.user}:{login.password}'.encode()).decode()}"


def _read_token(answer: Answer, where: str, host: str) -> str:
    if answer.status in (400, 401, 403):
        raise _denied(where, host, answer.status)
    try:
        fields = json.loads(answer.body) if answer.status == 200 else {}
        token = fields.get("token") or fields.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise ResolveError(f"the token server answered {answer.status} without a token", where=where)
    return token


def _denied(where: str, host: str, status: int) -> ResolveError:
    return ResolveError(
        f"the registry refuses the image (it answered {status})",
        where=where,
        fix=f"check the name, and log in with `docker login {host}` or `podman login {host}`",
    )


def _missing(where: str) -> NotFoundError:
    return NotFoundError(
        "the registry has no such image", where=where, fix="check name and tag; names are case sensitive"
    )
