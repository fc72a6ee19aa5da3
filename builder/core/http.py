"""HTTP with retries, proxies, company certificates and lengths. The only owner of `requests`."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import requests

from builder import __version__
from builder.core.errors import ResolveError

_CHUNK = 1 << 18
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_ENVIRONMENT = Mapping[str, str]


class NotFoundError(ResolveError):
    """The server answered that there is no such file (404 or 410)."""


class UnreachableError(ResolveError):
    """No usable answer after every attempt: no connection, cut transfers, or an error of the server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """How to reach one address: `proxy` is an address, "DIRECT" for none, or "" for what the environment
    says; `login` is (user, password) for the server, if it wants one."""

    proxy: str = ""
    login: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Http:
    """A client that any number of threads may share; each gets its own connections.

    `route` chooses proxy and login by address. `timeout` is in seconds, for connecting and between two
    pieces of an answer; `pause` is the first wait between attempts, doubled each time.
    """

    route: Callable[[str], Route] = field(default=lambda _url: Route())
    attempts: int = 4
    timeout: float = 30.0
    pause: float = 0.5
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    def read(self, url: str, *, limit: int) -> bytes:
        """The whole content of `url`. Raises ResolveError if it has more than `limit` bytes."""
        data = bytearray()
        for chunk in self.chunks(url):
            data += chunk
            if len(data) > limit:
                raise ResolveError(f"has more than {limit} bytes", where=without_login(url))
        return bytes(data)

    def chunks(self, url: str) -> Generator[bytes, None, None]:
        """The content of `url` in pieces, complete according to the length that the server announced.

        A transfer that breaks is resumed where it stopped. Raises NotFoundError or UnreachableError.
        """
        done, problem = 0, ""
        for attempt in range(self.attempts):
            time.sleep(self.pause * (2 ** (attempt - 1)) if attempt else 0)
            try:
                for chunk in self._attempt(url, done):
                    done += len(chunk)
                    yield chunk
                return
            except _PassingError as error:
                problem = str(error)
            except requests.RequestException as error:
                problem = _reason(error)
        raise _unreachable(url, problem, self.attempts)

    def _attempt(self, url: str, start: int) -> Iterator[bytes]:
        """One request for what follows the first `start` bytes."""
        with self._request(url, start) as response:
            _check_status(url, response)
            skip = 0 if response.status_code == 206 else start
            for chunk in response.iter_content(_CHUNK):
                yield from _rest(chunk, skip)
                skip = max(0, skip - len(chunk))
            _check_length(response)

    def _request(self, url: str, start: int) -> requests.Response:
        route = self.route(url)
        headers = {"Range": f"bytes={start}-"} if start else {}
        proxies = {"DIRECT": {"http": "", "https": ""}, "": None}.get(
            route.proxy, {"http": route.proxy, "https": route.proxy}
        )
        return self._session().get(
            url,
            stream=True,
            timeout=self.timeout,
            headers=headers,
            auth=route.login,
            proxies=proxies,
            verify=certificates(os.environ),
        )

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            # Files arrive as they lie on the server: their digests are of these bytes.
            session.headers.update({"User-Agent": f"wslimg/{__version__}", "Accept-Encoding": "identity"})
        return session


class _PassingError(Exception):
    """An answer that another attempt may improve."""


def certificates(environment: _ENVIRONMENT) -> str | bool:
    """The file or folder of trusted certificates: as the environment says, else the system's own.

    True means the list that `requests` ships. SSL_CERT_FILE and SSL_CERT_DIR are OpenSSL's variables
    (SSL_CTX_set_default_verify_paths(3)), which `requests` does not read.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if environment.get(name):
            return environment[name]
    for folder in environment.get("SSL_CERT_DIR", "").split(os.pathsep):
        if folder and os.path.isdir(folder):
            return folder
    return ssl.get_default_verify_paths().cafile or True


def without_login(url: str) -> str:
    """`url` without user name and password, fit for messages and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _rest(chunk: bytes, skip: int) -> Iterator[bytes]:
    if len(chunk) > skip:
        yield chunk[skip:]


def _check_status(url: str, response: requests.Response) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in _PASSING:
        raise _PassingError(f"the server answered {status} {response.reason}")
    where = without_login(url)
    if status in (404, 410):
        raise NotFoundError("there is no such file on the server", where=where, fix="choose another mirror")
    fix = "check login and proxy" if status in (401, 403, 407) else "check the address"
    raise ResolveError(f"the server answered {status} {response.reason}", where=where, fix=fix)


def _check_length(response: requests.Response) -> None:
    """urllib3 compares as well, but only where it decodes nothing."""
    announced = response.headers.get("Content-Length")
    if announced is not None and response.raw.tell() < int(announced):
        raise _PassingError(f"the transfer was cut after {response.raw.tell()} of {announced} bytes")


def _reason(error: requests.RequestException) -> str:
    """The innermost cause in words: the outer ones repeat addresses, logins included."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"{type(error).__name__}: {text}"


def _unreachable(url: str, problem: str, attempts: int) -> UnreachableError:
    return UnreachableError(
        f"cannot be read after {attempts} attempts ({problem})",
        where=without_login(url),
        fix="check the network; behind a proxy set http_proxy and https_proxy, or choose another mirror",
    )
