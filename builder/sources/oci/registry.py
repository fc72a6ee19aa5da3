"""A registry over HTTP, read-only: the pull half of the OCI distribution specification."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import closing
from urllib.parse import urlsplit

from builder.core.digests import sha256_bytes
from builder.core.errors import ResolveError
from builder.core.http import Answer, Http, NotFoundError, RefusedError, Route
from builder.sources.oci.authorization import Authorization, denied
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
        self._http = http or Http(route=direct_on_loopback)
        self.authorization = Authorization(endpoint, self._http, environment)

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
            used = self.authorization.value
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
                    raise denied(where, self.endpoint.host, 401) from None
                self.authorization.renew(error.challenge, used, where)
                renewed = True
            except NotFoundError:
                raise _missing(self.where(f"sha256:{descriptor.digest}")) from None

    def _ask(self, url: str, where: str) -> Answer:
        """The good answer to a request for a document. Raises ResolveError for any other."""
        used = self.authorization.value
        answer = self._http.ask(url, limit=MAX_DOCUMENT, accept=ACCEPTED, authorization=used)
        if answer.status == 401:
            self.authorization.renew(answer.headers.get("www-authenticate", ""), used, where)
            answer = self._http.ask(
                url, limit=MAX_DOCUMENT, accept=ACCEPTED, authorization=self.authorization.value
            )
        if answer.status in (401, 403):
            raise denied(where, self.endpoint.host, answer.status)
        if answer.status == 404:
            raise _missing(where)
        if answer.status != 200:
            raise ResolveError(f"the registry answered {answer.status}", where=where)
        return answer


def direct_on_loopback(url: str) -> Route:
    """No proxy reaches this machine's own loopback."""
    return Route(proxy="DIRECT" if is_loopback(urlsplit(url).netloc.rpartition("@")[2]) else "")


def _missing(where: str) -> NotFoundError:
    return NotFoundError(
        "the registry has no such image", where=where, fix="check name and tag; names are case sensitive"
    )
