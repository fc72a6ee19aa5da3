"""Requests to one web server, with a login, and with errors that say what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import quote

from builder.core.errors import PublishError, ResolveError
from builder.core.http import Answer, ForbiddenError, Http, NotFoundError, RefusedError, without_login
from builder.publish.target import MissingError
from builder.publish.web_login import Login

Body = Callable[[], bytes | BinaryIO]
"""What is sent; asked for again before each attempt."""

_FIXES = {
    400: "look whether the server lets files be replaced (Nexus: deployment policy, GitLab: duplicates)",
    401: "log in: $WSLIMG_TOKEN, $WSLIMG_HTTP_HEADERS, ~/.netrc, or USER:PASSWORD@ in the address",
    403: "ask for the right to read and write there; a token may have expired",
    405: "let the server take PUT, DELETE, MKCOL and PROPFIND there",
    413: "let the server take files of that size (nginx: client_max_body_size)",
    507: "make room, or `wslimg catalog prune` what nobody needs",
}
_PAUSES = (0.02, 0.1, 0.4)
"""Seconds to wait before what is forbidden is asked for again."""
_NETWORK = "check the address and the network; nothing that was published has changed"


class Connection:
    """Requests below the address `url`; paths are relative to it, with `/`, and need no escaping."""

    def __init__(self, url: str, login: Login, http: Http | None = None) -> None:
        self.url = url.rstrip("/")
        self._login = login
        self._http = http or Http()

    @property
    def place(self) -> str:
        """The address without login."""
        return without_login(self.url)

    def address(self, path: str) -> str:
        """The address of `path`."""
        return f"{self.url}/{quote(path, safe='/-._~+')}"

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Body | None = None
    ) -> Answer:
        """One exchange about `path`; the caller judges its status. Raises PublishError without an answer."""
        return self.send_to(self.address(path), method, headers, body)

    def send_to(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """The same with another address of this server."""
        try:
            return self._http.send(
                method,
                url,
                headers={**self._login.headers, **(headers or {})},
                body=body,
                authorization=self._login.authorization,
            )
        except ResolveError as error:
            raise PublishError(error.message, where=error.where, fix=_NETWORK) from None

    def look(self, path: str) -> Answer:
        """The answer to HEAD. Apache forbids, for want of another word, a file that goes between its lookup
        and its opening (server/core.c: default_handler): that is asked for again."""
        for pause in _PAUSES:
            if (answer := self.send("HEAD", path)).status != 403:
                return answer
            time.sleep(pause)
        return self.send("HEAD", path)

    def chunks(self, path: str) -> Iterator[bytes]:
        """The content of `path`, resumed where the connection breaks. Raises MissingError, PublishError.
        What is forbidden at first is asked for again, as by `look`."""
        done = 0
        for pause in (*_PAUSES, None):
            try:
                for piece in self._chunks(path):
                    done += len(piece)
                    yield piece
                return
            except NotFoundError:
                raise MissingError("is not there", where=f"{self.place}/{path}") from None
            except RefusedError as error:
                raise PublishError(error.message, where=error.where, fix=_FIXES[401]) from None
            except ForbiddenError as error:
                if done or pause is None:
                    raise PublishError(error.message, where=error.where, fix=_FIXES[403]) from None
                time.sleep(pause)
            except ResolveError as error:
                raise PublishError(error.message, where=error.where, fix=_NETWORK) from None

    def require(self, answer: Answer, *statuses: int) -> Answer:
        """`answer`, if its status is one of `statuses`; else raises PublishError."""
        if answer.status in statuses:
            return answer
        raise PublishError(
            f"the server answered {answer.status}",
            where=without_login(answer.url),
            fix=_FIXES.get(answer.status, "look into the server's log"),
        )

    def _chunks(self, path: str) -> Iterator[bytes]:
        return self._http.chunks(
            self.address(path), authorization=self._login.authorization, headers=self._login.headers
        )


def as_body(data: bytes) -> Body:
    """`data`, as often as it is asked for."""
    return lambda: data


def read_date(text: str) -> float:
    """A date of HTTP in seconds since the epoch, 0 for anything else."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return 0.0
