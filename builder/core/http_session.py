"""The connections of one thread: which certificates they trust, and what they never tell a stranger."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

from builder import __version__

if TYPE_CHECKING:
    import requests

# What may follow a redirect to another host. Cookies and logins of proxies are chosen for it anew; any other
# header could be a secret.
_PUBLIC = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "proxy-authorization",
        "range",
        "transfer-encoding",
        "user-agent",
    }
)


def new_session() -> requests.Session:
    """A session whose requests say who asks, and want files as they lie on the server: their digests are of
    these bytes."""
    import requests

    class Session(requests.Session):
        """Leaves secrets behind where a redirect leaves the host: `requests` knows of Authorization only."""

        def rebuild_auth(
            self, prepared_request: requests.PreparedRequest, response: requests.Response
        ) -> None:
            old, new = str(response.request.url), str(prepared_request.url)
            if self.should_strip_auth(old, new):  # type: ignore[no-untyped-call]  # types-requests lacks it
                for name in set(map(str.lower, prepared_request.headers)) - _PUBLIC:
                    del prepared_request.headers[name]
            super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]  # likewise

    session = Session()
    session.headers.update({"User-Agent": f"wslimg/{__version__}", "Accept-Encoding": "identity"})
    return session


class Authorization:
    """Sets the header once: `requests` takes it away where a redirect leaves the host, and does not replace
    it by what ~/.netrc has for the host."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by `requests` with each request, after it has looked for a login."""
        request.headers["Authorization"] = self._value
        return request


def certificates(environment: Mapping[str, str]) -> str | bool:
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
