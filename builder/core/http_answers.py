"""What the answers of servers mean: which are errors, and which of them another attempt may improve."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from builder.core.errors import ResolveError

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 18
"""How many bytes are read at once."""
_PART = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_LONGEST_PAUSE = 120.0
_LIMIT = 429
_PASSING = frozenset({408, 425, _LIMIT, 500, 502, 503, 504})
_ANSWERED = "the server answered"
_NETWORK = "check the network; behind a proxy set http_proxy and https_proxy, or choose another mirror"
_TOO_MANY = (
    "so many requests are not for everybody: wait, log in (`docker login HOST`), or choose another mirror"
)


class NotFoundError(ResolveError):
    """The server answered that there is no such file (404 or 410)."""


class UnreachableError(ResolveError):
    """No usable answer after every attempt: no connection, cut transfers, or an error of the server."""


class RefusedError(ResolveError):
    """The server wants another login (401). `challenge` is what its WWW-Authenticate asks for (RFC 9110)."""

    challenge: str = ""


class ForbiddenError(ResolveError):
    """The server refuses whoever asks (403)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server answered, whatever the status. The names of `headers` are in lower case; `url` is the
    address that answered, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class PassingError(Exception):
    """An answer that another attempt may improve, after `pause` seconds if the server asked for them."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


@dataclass(slots=True)
class Transfer:
    """The reading of one file in as many answers as it takes: `done` bytes of it are there."""

    done: int
    _version: tuple[str, str] = ("", "")

    def begin(self, url: str, response: requests.Response) -> int:
        """How many bytes of `response`, which goes on with the file, are there already.

        Raises UnreachableError for another file than the one that was begun, by entity tag and by date with
        length (RFC 9110, 8.8; servers that stand for one another may have tags of their own), PassingError
        for another part of it.
        """
        begins, total = _read_part(response, self.done)
        modified = response.headers.get("Last-Modified", "")
        version = response.headers.get("ETag", ""), f"{modified} {total}" if modified and total else ""
        known = [(then, now) for then, now in zip(self._version, version, strict=True) if then and now]
        if known and all(then != now for then, now in known):
            raise UnreachableError(
                "was replaced while it was read", where=without_login(url), fix="try again"
            )
        if begins > self.done:
            raise PassingError(f"the server sent what follows byte {begins} instead of {self.done}")
        self._version = version
        return self.done - begins


def without_login(url: str) -> str:
    """`url` without user name and password, fit for messages and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def check_status(url: str, response: requests.Response) -> None:
    """Raise what `response` to a request for the content of `url` says, unless it is that content."""
    status = response.status_code
    if status in (200, 206):
        return
    check_passing(response)
    where = without_login(url)
    if status in (404, 410):
        raise NotFoundError("there is no such file on the server", where=where, fix="choose another mirror")
    fix = "check login and proxy" if status in (401, 403, 407) else "check the address"
    kind = {401: RefusedError, 403: ForbiddenError}.get(status, ResolveError)
    error = kind(f"the server answered {status} {response.reason}", where=where, fix=fix)
    if isinstance(error, RefusedError):
        error.challenge = response.headers.get("WWW-Authenticate", "")
    raise error


def check_passing(response: requests.Response) -> None:
    """Raise PassingError for overload and the like, UnreachableError where a long wait is asked for."""
    if response.status_code not in _PASSING:
        return
    problem = f"{_ANSWERED} {response.status_code} {response.reason}"
    pause = _read_pause(response.headers.get("Retry-After", ""))
    if pause > _LONGEST_PAUSE:
        raise UnreachableError(
            f"{problem} and asks to wait {pause:.0f} seconds",
            where=without_login(response.url),
            fix=_TOO_MANY if response.status_code == _LIMIT else "wait, or choose another mirror",
        )
    raise PassingError(problem, pause)


def _read_part(response: requests.Response, asked: int) -> tuple[int, str]:
    """Where the content of `response` begins in its file, by default where it was `asked` to, and how long
    the file is, as digits ("" if unknown)."""
    if response.status_code != 206:
        return 0, response.headers.get("Content-Length", "")
    if (part := response.headers.get("Content-Range")) is None:
        return asked, ""
    if (found := _PART.fullmatch(part)) is None:
        raise PassingError(f"the server sent {part} instead of what follows byte {asked}")
    return int(found[1]), found[2]


def _read_pause(value: str) -> float:
    """Retry-After in seconds, be it a number or a date (RFC 9110, 10.2.3); 0 for anything else."""
    if value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def read_answer(response: requests.Response, limit: int) -> Answer:
    """All of `response`. Raises ResolveError beyond `limit` bytes, PassingError where it was cut."""
    body = bytearray()
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > limit:
            raise ResolveError(f"has more than {limit} bytes", where=without_login(response.url))
    check_length(response)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, body=bytes(body), url=response.url)


def check_length(response: requests.Response) -> None:
    """urllib3 compares as well, but only where it decodes nothing."""
    announced = response.headers.get("Content-Length")
    if response.request.method == "HEAD":  # announces what it does not send
        return
    if announced is not None and response.raw.tell() < int(announced):
        raise PassingError(f"the transfer was cut after {response.raw.tell()} of {announced} bytes")


def reason(error: requests.RequestException) -> str:
    """The innermost cause in words: the outer ones repeat addresses, logins included."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"{type(error).__name__}: {text}"


def unreachable(url: str, problem: str, attempts: int) -> UnreachableError:
    """The error after `attempts` that ended with `problem`."""
    return UnreachableError(
        f"cannot be read after {attempts} attempts ({problem})",
        where=without_login(url),
        fix=_TOO_MANY if problem.startswith(f"{_ANSWERED} {_LIMIT} ") else _NETWORK,
    )


def pause_before(attempt: int, first: float, asked: float) -> float:
    """How many seconds to wait before `attempt` (0 is the first): doubled each time from `first`, at least
    what the server `asked` for, and longer by chance, so that clients that failed together part."""
    if attempt == 0:
        return 0.0
    return max(asked, first * 2.0 ** (attempt - 1)) * random.uniform(1.0, 1.25)  # noqa: S311 - no secret
