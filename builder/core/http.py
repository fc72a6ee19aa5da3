"""HTTP with retries, proxies, company certificates and lengths.

`requests` is imported when first used: that takes a fifth of the time in which a build without downloads
starts. Only this module and the two beside it, `http_session` and `http_answers`, know it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from builder.core.errors import ResolveError
from builder.core.http_answers import (
    CHUNK,
    Answer,
    ForbiddenError,
    NotFoundError,
    PassingError,
    RefusedError,
    Transfer,
    UnreachableError,
    check_length,
    check_passing,
    check_status,
    pause_before,
    read_answer,
    reason,
    unreachable,
    without_login,
)
from builder.core.http_session import Authorization, certificates, new_session

if TYPE_CHECKING:
    import requests

__all__ = [
    "Answer",
    "ForbiddenError",
    "Http",
    "NotFoundError",
    "RefusedError",
    "Route",
    "UnreachableError",
    "certificates",
    "without_login",
]

_NO_ADDRESS = ValueError  # what MissingSchema, InvalidSchema and InvalidURL of `requests` have in common
_HEADERS = Mapping[str, str]


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

    def chunks(
        self, url: str, *, authorization: str = "", headers: _HEADERS | None = None, start: int = 0
    ) -> Generator[bytes, None, None]:
        """The content of `url` from byte `start` on, in pieces, complete according to the length that the
        server announced.

        A transfer that breaks is resumed where it stopped, if that file is still there. `authorization` and
        `headers` are sent to the host of `url` and to no other. Raises NotFoundError, RefusedError or
        UnreachableError.
        """
        import requests

        transfer, problem, pause = Transfer(start), "", 0.0
        for attempt in range(self.attempts):
            time.sleep(pause_before(attempt, self.pause, pause))
            try:
                yield from self._attempt(url, transfer, authorization, headers or {})
                return
            except PassingError as error:
                problem, pause = str(error), error.pause
            except requests.RequestException as error:
                problem, pause = reason(error), 0.0
        raise unreachable(url, problem, self.attempts)

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
            time.sleep(pause_before(attempt, self.pause, pause))
            try:
                with request() as response:
                    check_passing(response)
                    return read_answer(response, limit)
            except PassingError as error:
                problem, pause = str(error), error.pause
            except requests.RequestException as error:
                problem, pause = reason(error), 0.0
        raise unreachable(url, problem, self.attempts)

    def _attempt(
        self, url: str, transfer: Transfer, authorization: str, headers: _HEADERS
    ) -> Iterator[bytes]:
        """One request for what is missing of `transfer`."""
        part = {"Range": f"bytes={transfer.done}-"} if transfer.done else {}
        with self._request(url, {**headers, **part}, authorization) as response:
            check_status(url, response)
            skip = transfer.begin(url, response)
            for chunk in response.iter_content(CHUNK):
                if new := chunk[skip:]:
                    transfer.done += len(new)
                    yield new
                skip = max(0, skip - len(chunk))
            check_length(response)

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
                auth=Authorization(authorization) if authorization else route.login,
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
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = new_session()
        return session
