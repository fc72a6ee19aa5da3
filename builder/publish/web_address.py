"""Which kind of web server an address means, and how to log in there."""

from __future__ import annotations

from collections.abc import Mapping

from builder.publish.web import WebTarget
from builder.publish.web_connection import Connection
from builder.publish.web_files import WebFiles
from builder.publish.web_gitlab import GitLabTarget
from builder.publish.web_login import artifactory_login, bearer_login, gitlab_login
from builder.publish.web_products import ArtifactoryTarget, NexusTarget

_PRODUCTS = {
    "artifactory+": (ArtifactoryTarget, artifactory_login),
    "nexus+": (NexusTarget, bearer_login),
    "gitlab+": (GitLabTarget, gitlab_login),
}
WEB_ADDRESSES = tuple(kind + scheme for kind in ("", *_PRODUCTS) for scheme in ("http://", "https://"))
"""What the addresses of web servers begin with."""


def open_web(address: str, environ: Mapping[str, str]) -> WebFiles:
    """The target at `address`, which begins with one of `WEB_ADDRESSES`, with the login that `environ` holds.
    Raises UsageError."""
    for prefix, (kind, read_login) in _PRODUCTS.items():
        if address.startswith(prefix):
            return kind(Connection(address.removeprefix(prefix), read_login(environ)))
    return WebTarget(address, login=bearer_login(environ))
