"""Requests to one repository of a registry, logged in where it wants that: the push half of the OCI
distribution specification, and what deleting and listing takes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from builder.core.digests import sha256_bytes
from builder.core.errors import PublishError, ResolveError
from builder.core.http import Answer, Http, NotFoundError, UnreachableError
from builder.publish.oci_artifact import MANIFEST
from builder.publish.target import MissingError
from builder.sources.oci.manifest import Descriptor, read_json
from builder.sources.oci.reference import Endpoint
from builder.sources.oci.registry import Registry, direct_on_loopback

_FIXES = {
    400: "look into the registry's log",
    403: "ask for the right to push to that repository",
    405: "let the registry delete: storage.delete.enabled (REGISTRY_STORAGE_DELETE_ENABLED=true)",
    413: "let the proxy before the registry take larger requests",
    507: "make room, or `wslimg catalog prune` what nobody needs",
}
_NETWORK = "check the address and the network; nothing that was published has changed"
_PAUSES = (0.05, 0.2, 0.8)
Body = Callable[[], bytes | BinaryIO]


class Repository:
    """The repository at `endpoint`. Every error is a PublishError."""

    def __init__(
        self, endpoint: Endpoint, *, http: Http | None = None, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.url = f"{endpoint.url}/{endpoint.path}"
        self.place = f"{endpoint.host}/{endpoint.path}"
        self._host = endpoint.host
        self._http = http or Http(route=direct_on_loopback)
        self._registry = Registry(endpoint, http=self._http, environment=environment)
        self._ahead = 0.0

    def now(self) -> float:
        """The time by the registry's clock, in seconds since the epoch, as its last answer gave it."""
        return time.time() + self._ahead

    def blob(self, blob: Descriptor) -> Generator[bytes, None, None]:
        """The content of `blob`, verified at its end. Raises MissingError."""
        with publish_errors(), closing(self._registry.blob(blob)) as chunks:
            yield from chunks

    def manifest(self, wanted: str) -> tuple[str, bytes] | None:
        """Digest (with its algorithm) and content of a manifest by its tag; None if there is none."""
        answer = self.send("GET", f"/manifests/{wanted}", headers={"Accept": MANIFEST})
        if answer.status == 404:
            return None
        self.require(answer, f"/manifests/{wanted}", 200)
        return f"sha256:{sha256_bytes(answer.body)}", answer.body

    def put_manifest(self, tag: str, manifest: bytes) -> None:
        """Let `tag` stand for `manifest`, whose blobs are there.

        Distribution 2.8 reads what it knows of a blob while others write just that, and then says that it
        does not fit: it is asked again.
        """
        url = f"/manifests/{tag}"
        for pause in (*_PAUSES, None):
            answer = self.send("PUT", url, headers={"Content-Type": MANIFEST}, body=lambda: manifest)
            if answer.status != 400 or pause is None:
                break
            time.sleep(pause)
        self.require(answer, url, 201)

    def delete_manifest(self, tag: str, digest: str, manifest: bytes) -> None:
        """Delete `manifest`, which has the `digest`, and its `tag`.

        Distribution 2.8 deletes a manifest and then, disturbed by somebody who writes tags, may fail to
        delete its tag; the next attempt finds nothing. Such a tag gets its manifest back, to go with it.
        """
        url = f"/manifests/{digest}"
        for _ in _PAUSES:
            answer = self.send("DELETE", url)
            self.require(answer, url, 202, 404)
            if answer.status == 202 or tag not in self.tags():
                return
            self.put_manifest(tag, manifest)
        self.require(answer, url, 202)

    def tags(self) -> Iterator[str]:
        """All tags, page by page; none of a repository that nobody pushed to."""
        url = "/tags/list"
        while url:
            answer = self.send("GET", url)
            if answer.status == 404:
                return
            self.require(answer, url, 200)
            with publish_errors():
                document = read_json(answer.body, f"{self.place}{url}")
            yield from map(str, document.get("tags") or ())
            url = _next_page(answer)

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Body | None = None
    ) -> Answer:
        """The answer to a request, after a login if need be, whatever its status. `url` follows that of the
        repository, or is an address that the registry gave; other hosts get no login."""
        address = f"{self.url}{url}" if url.startswith("/") else url
        login = self._registry.authorization
        secret = urlsplit(address).netloc == urlsplit(self.url).netloc
        with publish_errors():
            for final in (False, True):
                used = login.value
                answer = self._http.send(
                    method,
                    address,
                    headers=headers or {},
                    body=body,
                    authorization=used if secret else "",
                )
                if answer.status != 401 or final or not secret:
                    break
                login.renew(answer.headers.get("www-authenticate", ""), used, self.place)
        self._ahead = _read_clock(answer, self._ahead)
        return answer

    def require(self, answer: Answer, what: str, *statuses: int) -> None:
        """Raise PublishError, with what the registry says, unless `answer` has one of `statuses`."""
        if answer.status not in statuses:
            login = f"log in with `docker login {self._host}` or `podman login {self._host}`"
            raise PublishError(
                f"the registry answered {answer.status}{_reason(answer)}",
                where=f"{self.place}{urlsplit(what).path if '://' in what else what}",
                fix=_FIXES.get(answer.status, login if answer.status == 401 else "look into its log"),
            )


@contextmanager
def publish_errors() -> Iterator[None]:
    """What reading a registry raises, as errors of publishing."""
    try:
        yield
    except NotFoundError as error:
        raise MissingError(error.message, where=error.where, fix=error.fix) from None
    except UnreachableError as error:
        raise PublishError(error.message, where=error.where, fix=_NETWORK) from None
    except ResolveError as error:
        raise PublishError(error.message, where=error.where, fix=error.fix) from None


def _next_page(answer: Answer) -> str:
    """The address in `Link: <...>; rel="next"` (RFC 8288), "" on the last page."""
    address, _, relation = answer.headers.get("link", "").partition(";")
    if 'rel="next"' not in relation and "rel=next" not in relation:
        return ""
    return urljoin(answer.url, address.strip().removeprefix("<").removesuffix(">"))


def _read_clock(answer: Answer, before: float) -> float:
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp() - time.time()
    except ValueError:
        return before


def _reason(answer: Answer) -> str:
    """What the registry says (distribution specification, "Error Codes")."""
    try:
        first = read_json(answer.body, "")["errors"][0]
        return f": {first['code']} {first.get('message', '')}".rstrip()
    except (ResolveError, LookupError, TypeError):
        return ""
