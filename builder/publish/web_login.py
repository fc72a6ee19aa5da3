"""Who writes to a web server: tokens in the headers that its kind wants, and headers of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from builder.core.errors import UsageError

TOKEN = "WSLIMG_TOKEN"  # noqa: S105 - the name of a variable
HEADERS = "WSLIMG_HTTP_HEADERS"
_JOB_TOKEN = "CI_JOB_TOKEN"  # noqa: S105 - the name of a variable, of GitLab's jobs
_API_KEY = "AKCp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """`authorization` is the value of that header, "" for what the address or ~/.netrc says; `headers` go
    with every request, too. Nothing of it is ever shown."""

    authorization: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def bearer_login(environ: Mapping[str, str]) -> Login:
    """$WSLIMG_TOKEN as a bearer token (RFC 6750)."""
    token = environ.get(TOKEN, "")
    return Login(authorization=f"Bearer {token}" if token else "", headers=read_headers(environ))


def artifactory_login(environ: Mapping[str, str]) -> Login:
    """$WSLIMG_TOKEN as an access token, or, as it begins, as one of Artifactory's older API keys."""
    token = environ.get(TOKEN, "")
    if not token.startswith(_API_KEY):
        return bearer_login(environ)
    return Login(headers={"X-JFrog-Art-Api": token, **read_headers(environ)})


def gitlab_login(environ: Mapping[str, str]) -> Login:
    """$WSLIMG_TOKEN as an access token, else the token that each job of GitLab has."""
    headers = read_headers(environ)
    for name, variable in (("PRIVATE-TOKEN", TOKEN), ("JOB-TOKEN", _JOB_TOKEN)):
        if token := environ.get(variable):
            return Login(headers={name: token, **headers})
    return Login(headers=headers)


def read_headers(environ: Mapping[str, str]) -> dict[str, str]:
    """The lines `NAME: VALUE` of $WSLIMG_HTTP_HEADERS. Raises UsageError that shows no value."""
    headers = {}
    for number, line in enumerate(filter(str.strip, environ.get(HEADERS, "").splitlines()), 1):
        name, colon, value = line.partition(":")
        if not (colon and name.strip().isascii() and name.strip().replace("-", "").isalnum()):
            raise UsageError(
                f"line {number} is no header", where=f"${HEADERS}", fix="write one `NAME: VALUE` a line"
            )
        headers[name.strip()] = value.strip()
    return headers
