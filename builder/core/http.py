"""HTTP with retries, proxies, company certificates and lengths. The only owner of `requests`.

It is imported when first used: that takes a fifth of the time in which a build without downloads starts.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit, urlunsplit

from builder import __version__
from builder.core.errors import ResolveError

if TYPE_CHECKING:
    import requests

_CHUNK = 1 << 18
_LONGEST_PAUSE = 120.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_ADDRESS = ValueError  # what MissingSchema, InvalidSchema and InvalidURL of `requests` have in common
_ENVIRONMENT = Mapping[str, str]


class NotFoundError(ResolveError):
    """The server answered that there is no such file (404 or 410)."""


class UnreachableError(ResolveError):
    """No usable answer after every attempt: no connection, cut transfers, or an error of the server."""


class RefusedError(ResolveError):
    """The server wants another login (401). `challenge` is what its WWW-Authenticate asks for (RFC 9110)."""

    challenge: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server answered, whatever the status. The names of `headers` are in lower case; `url` is the
    address that answered, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


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

    def chunks(self, url: str, *, authorization: str = "", start: int = 0) -> Generator[bytes, None, None]:
        """The content of `url` from byte `start` on, in pieces, complete according to the length that the
        server announced.

        A transfer that breaks is resumed where it stopped. `authorization` is sent to the host of `url` and
        to no other. Raises NotFoundError, RefusedError or UnreachableError.
        """
        import requests

        done, problem, pause = start, "", 0.0
        for attempt in range(self.attempts):
            self._wait(attempt, pause)
            try:
                for chunk in self._attempt(url, done, authorization):
                    done += len(chunk)
                    yield chunk
                return
            except _PassingError as error:
                problem, pause = str(error), error.pause
            except requests.RequestException as error:
                problem, pause = _reason(error), 0.0
        raise _unreachable(url, problem, self.attempts)

    def ask(
        self,
        url: str,
        *,
        limit: int,
        accept: str = "*/*",
        authorization: str = "",
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """One exchange whose status the caller judges; `form` is sent by POST. Overload and broken
        connections are tried again. Raises UnreachableError, and ResolveError beyond `limit` bytes."""
        method = "GET" if form is None else "POST"
        return self._exchange(
            url, limit, lambda: self._request(url, {"Accept": accept}, authorization, form, method=method)
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Callable[[], bytes | BinaryIO] | None = None,
        authorization: str = "",
        limit: int = 1 << 24,
    ) -> Answer:
        """One exchange by any `method`, whose status the caller judges, as `ask` does; redirects of other
        methods than GET are not followed. `body` is asked for again before each attempt, so the server may
        see a request twice."""
        return self._exchange(
            url, limit, lambda: self._request(url, headers, authorization, body and body(), method=method)
        )

    def _exchange(self, url: str, limit: int, request: Callable[[], requests.Response]) -> Answer:
        import requests

        problem, pause = "", 0.0
        for attempt in range(self.attempts):
            self._wait(attempt, pause)
            try:
                with request() as response:
                    _check_passing(response)
                    return _read_answer(response, limit)
            except _PassingError as error:
                problem, pause = str(error), error.pause
            except requests.RequestException as error:
                problem, pause = _reason(error), 0.0
        raise _unreachable(url, problem, self.attempts)

    def _wait(self, attempt: int, pause: float) -> None:
        """What the server asked for, or longer after each attempt."""
        time.sleep(max(pause, self.pause * (2 ** (attempt - 1))) if attempt else 0)

    def _attempt(self, url: str, start: int, authorization: str) -> Iterator[bytes]:
        """One request for what follows the first `start` bytes."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._request(url, headers, authorization) as response:
            _check_status(url, response)
            skip = 0 if response.status_code == 206 else start
            for chunk in response.iter_content(_CHUNK):
                yield from _rest(chunk, skip)
                skip = max(0, skip - len(chunk))
            _check_length(response)

    def _request(
        self,
        url: str,
        headers: Mapping[str, str],
        authorization: str = "",
        data: Mapping[str, str] | bytes | BinaryIO | None = None,
        *,
        method: str = "GET",
    ) -> requests.Response:
        route = self.route(url)
        proxies = {"DIRECT": {"http": "", "https": ""}, "": None}.get(
            route.proxy, {"http": route.proxy, "https": route.proxy}
        )
        try:
            return self._session().request(
                method,
                url,
                data=data,
                stream=True,
                allow_redirects=method in ("GET", "POST"),
                timeout=self.timeout,
                headers=headers,
                auth=_Authorization(authorization) if authorization else route.login,
                proxies=proxies,
                verify=certificates(os.environ),
            )
        except _NO_ADDRESS as error:
            fix = "an address begins with http:// or https://; those of proxies are looked at, too"
            where = url.rpartition("@")[2]  # no login, though it cannot be told where that ends
            raise ResolveError(
                f"is no usable address ({type(error).__name__})", where=where, fix=fix
            ) from None

    def _session(self) -> requests.Session:
        import requests

        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            # Files arrive as they lie on the server: their digests are of these bytes.
            session.headers.update({"User-Agent": f"wslimg/{__version__}", "Accept-Encoding": "identity"})
        return session


class _PassingError(Exception):
    """An answer that another attempt may improve, after `pause` seconds if the server asked for them."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


class _Authorization:
    """Sets the header once: `requests` takes it away where a redirect leaves the host, and does not replace
    it by what ~/.netrc has for the host."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


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
    _check_passing(response)
    where = without_login(url)
    if status in (404, 410):
        raise NotFoundError("there is no such file on the server", where=where, fix="choose another mirror")
    fix = "check login and proxy" if status in (401, 403, 407) else "check the address"
    kind = RefusedError if status == 401 else ResolveError
    error = kind(f"the server answered {status} {response.reason}", where=where, fix=fix)
    if isinstance(error, RefusedError):
        error.challenge = response.headers.get("WWW-Authenticate", "")
    raise error


def _check_passing(response: requests.Response) -> None:
    if response.status_code not in _PASSING:
        return
    problem = f"the server answered {response.status_code} {response.reason}"
    pause = _read_pause(response.headers.get("Retry-After", ""))
    if pause > _LONGEST_PAUSE:
        raise UnreachableError(
            f"{problem} and asks to wait {pause:.0f} seconds",
            where=without_login(response.url),
            fix="wait, log in, or choose a mirror",
        )
    raise _PassingError(problem, pause)


def _read_pause(value: str) -> float:
    """Retry-After in seconds, be it a number or a date (RFC 9110, 10.2.3); 0 for anything else."""
    if value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _read_answer(response: requests.Response, limit: int) -> Answer:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > limit:
            raise ResolveError(f"has more than {limit} bytes", where=without_login(response.url))
    _check_length(response)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, body=bytes(body), url=response.url)


def _check_length(response: requests.Response) -> None:
    """urllib3 compares as well, but only where it decodes nothing."""
    announced = response.headers.get("Content-Length")
    if response.request.method == "HEAD":  # announces what it does not send
        return
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
