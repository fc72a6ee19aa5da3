"""Names of images: `debian`, `ghcr.io/owner/name:tag`, `localhost:5000/name@sha256:...`.

The grammar is that of the distribution project (reference/regexp.go), the defaults are Docker's.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from builder.core.errors import ResolveError

_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REMAINDER = re.compile(
    rf"(?P<path>{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>[^@]+))?", re.ASCII
)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")

DOCKER_HUB = "docker.io"
_SERVER = {DOCKER_HUB: "registry-1.docker.io"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """The image `path` of the registry `host`. `digest` is 64 hex digits and outranks `tag`; one of both
    is there."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@sha256:{self.digest}" if self.digest else ""
        return f"{self.host}/{self.path}{tag}{digest}"

    @property
    def wanted(self) -> str:
        """What is asked for: the digest if there is one, else the tag."""
        return f"sha256:{self.digest}" if self.digest else self.tag


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where a repository is served: `host` (whose credentials count), the API's address, the path there."""

    host: str
    url: str
    path: str


def parse_reference(text: str) -> Reference:
    """The image that `text` names, complete with Docker's defaults. Raises ResolveError."""
    host, remainder = _split_host(text)
    match = _REMAINDER.fullmatch(remainder)
    if match is None or not re.fullmatch(_HOST, host):
        raise ResolveError(
            "is no name of an image, expected [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST] in lower case",
            where=text,
        )
    path = f"library/{match['path']}" if host == DOCKER_HUB and "/" not in match["path"] else match["path"]
    digest = read_digest(match["digest"], where=text) if match["digest"] else ""
    tag = match["tag"] or ("" if digest else "latest")
    return Reference(host=host, path=path, tag=tag, digest=digest)


def read_digest(text: object, *, where: str) -> str:
    """The 64 hex digits of `sha256:...`. Raises ResolveError for any other digest."""
    match = _DIGEST.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ResolveError(
            f"has the digest {text!r}, expected sha256: and 64 lower-case hex digits", where=where
        )
    return match[1]


def _split_host(text: str) -> tuple[str, str]:
    """The host and the rest. A first part is a host only if it could not be part of a path: `a/b` is Docker
    Hub's (distribution/reference, normalize.go:splitDockerDomain)."""
    first, slash, rest = text.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return DOCKER_HUB, text
    return (DOCKER_HUB if first == "index.docker.io" else first), rest


def locate(reference: Reference, *, insecure: bool | None) -> Endpoint:
    """Where `reference` is served. Plain HTTP is spoken to loopback addresses and where `insecure` is true;
    false means HTTPS in any case."""
    plain = is_loopback(reference.host) if insecure is None else insecure
    server = _SERVER.get(reference.host, reference.host)
    return Endpoint(
        host=reference.host, url=f"{'http' if plain else 'https'}://{server}/v2", path=reference.path
    )


def locate_repository(text: str, *, insecure: bool | None) -> Endpoint:
    """Where the repository `HOST[:PORT]/PATH` is served, as `locate` does it. The host is never left out, and
    there is no tag. Raises ResolveError."""
    host, _, path = text.partition("/")
    match = _REMAINDER.fullmatch(path)
    if match is None or match["tag"] or match["digest"] or not re.fullmatch(_HOST, host):
        raise ResolveError(
            "is no name of a repository, expected HOST[:PORT]/PATH in lower case, without a tag", where=text
        )
    return locate(Reference(host=host, path=path), insecure=insecure)


def locate_mirror(reference: Reference, mirror: str, *, insecure: bool | None) -> Endpoint:
    """Where the mirror `[SCHEME://]HOST[/PREFIX]` serves `reference`. Raises ResolveError."""
    parts = urlsplit(mirror if "://" in mirror else f"//{mirror}")
    if parts.scheme not in ("", "http", "https") or not re.fullmatch(_HOST, parts.netloc):
        raise ResolveError("is no mirror, expected [https://]HOST[:PORT][/PREFIX]", where=mirror)
    plain = is_loopback(parts.netloc) if insecure is None else insecure
    scheme = parts.scheme or ("http" if plain else "https")
    path = f"{parts.path.strip('/')}/{reference.path}".lstrip("/")
    return Endpoint(host=parts.netloc, url=f"{scheme}://{parts.netloc}/v2", path=path)


def is_loopback(host: str) -> bool:
    """Whether `host[:port]` is this machine."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
