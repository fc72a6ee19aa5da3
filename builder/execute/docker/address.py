"""Where an engine is: what the environment and Docker's own configuration say, else a socket of this machine.

The variables are those of the `docker` command, and so is their order (docker/cli, cli/command/cli.go).
Contexts lie below ~/.docker/contexts, named by the SHA-256 of their name (docker/cli, cli/context/store).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, Field, ValidationError

from builder.core.digests import sha256_bytes
from builder.core.errors import UsageError

_LOCAL = ("/var/run/docker.sock", "/run/podman/podman.sock")
_APART = "mend it, or name the engine with DOCKER_HOST"
_SCHEMES = ("unix", "tcp", "http", "https", "ssh")


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificates:
    """Files for TLS. Without `ca` the engine's certificate has to be one that this machine trusts, with
    `verify` false it may be any; `cert` and `key` say who we are."""

    ca: Path | None
    cert: Path | None
    key: Path | None
    verify: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """The address of an engine, and who names it: a variable, a context, or nobody where it was found."""

    url: str
    named_by: str = ""
    certificates: Certificates | None = None

    @property
    def parts(self) -> SplitResult:
        """The address, taken apart."""
        return urlsplit(self.url)

    @property
    def is_local(self) -> bool:
        """Whether it is a socket of this machine."""
        return self.parts.scheme == "unix"


def find_address(environment: Mapping[str, str] = os.environ) -> Address | None:
    """The engine to use, None if there is none. Raises UsageError for a name that leads nowhere."""
    if url := environment.get("DOCKER_HOST"):
        return _check(Address(url=url, named_by="DOCKER_HOST", certificates=_read_variables(environment)))
    if context := _choose_context(environment):
        return _check(_read_context(context, environment))
    found = (path for path in _own_sockets(environment) if Path(path).is_socket())
    return next((Address(url=f"unix://{path}") for path in found), None)


def _check(address: Address) -> Address:
    """`address`, which can be used. Raises UsageError."""
    try:
        parts, port = address.parts, address.parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    usable = bool(parts.path and not parts.netloc) if parts.scheme == "unix" else bool(parts.hostname)
    if parts.scheme not in _SCHEMES or not usable or port == 0:
        raise UsageError(
            f"{address.url!r} is no address of an engine",
            where=address.named_by,
            fix="write unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST",
        )
    return address


def _own_sockets(environment: Mapping[str, str]) -> Iterator[str]:
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield f"{runtime}/docker.sock"
        yield f"{runtime}/podman/podman.sock"
    yield from _LOCAL


def _read_variables(environment: Mapping[str, str]) -> Certificates | None:
    """What https, DOCKER_TLS_VERIFY and DOCKER_TLS ask for: TLS, with or without verifying the engine."""
    scheme = environment["DOCKER_HOST"].partition(":")[0]
    verify = bool(environment.get("DOCKER_TLS_VERIFY")) or scheme == "https"
    if scheme not in ("tcp", "https") or not (verify or environment.get("DOCKER_TLS")):
        return None
    folder = Path(environment.get("DOCKER_CERT_PATH") or _configuration(environment))
    return _find_certificates(folder, verify=verify)


def _find_certificates(folder: Path, *, verify: bool) -> Certificates:
    ca, cert, key = (
        path if path.is_file() else None
        for path in (folder / f"{name}.pem" for name in ("ca", "cert", "key"))
    )
    return Certificates(ca=ca, cert=cert, key=key, verify=verify)


def _configuration(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _choose_context(environment: Mapping[str, str]) -> str:
    """The context in use; empty for Docker's own default, which is no context."""
    name = environment.get("DOCKER_CONTEXT", "")
    file = _configuration(environment) / "config.json"
    if not name and file.is_file():
        name = _read(file, _Settings).current
    return "" if name == "default" else name


def _read_context(name: str, environment: Mapping[str, str]) -> Address:
    folder, entry = _configuration(environment) / "contexts", sha256_bytes(name.encode())
    file = folder / "meta" / entry / "meta.json"
    if not file.is_file():
        fix = "`docker context ls` shows those that there are; DOCKER_CONTEXT=default stands for none"
        raise UsageError(f"there is no context {name!r} of Docker", where=str(file), fix=fix)
    endpoint = _read(file, _Context).endpoints.get("docker", _Endpoint())
    keys, certificates = folder / "tls" / entry / "docker", None
    if endpoint.host.startswith("tcp:") and keys.is_dir():
        certificates = _find_certificates(keys, verify=not endpoint.unverified)
    return Address(url=endpoint.host, named_by=f"context {name}", certificates=certificates)


class _Settings(BaseModel):
    """What of Docker's config.json matters here."""

    current: str = Field(default="", alias="currentContext")


class _Endpoint(BaseModel):
    host: str = Field(default="", alias="Host")
    unverified: bool = Field(default=False, alias="SkipTLSVerify")


class _Context(BaseModel):
    endpoints: dict[str, _Endpoint] = Field(default={}, alias="Endpoints")


_File = TypeVar("_File", bound=BaseModel)


def _read(file: Path, model: type[_File]) -> _File:
    try:
        return model.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(file), fix=_APART) from None
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise UsageError(f"is not what Docker writes: {problem}", where=str(file), fix=_APART) from None
