"""Speaks to the engine that is found, and says what is wrong where it does not answer."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker
import requests
from docker.errors import APIError, DockerException

from builder.core.errors import ExecuteError, WslimgError
from builder.execute.docker.address import Address, find_address
from builder.execute.docker.ssh import SshForward
from builder.execute.docker.tls import TlsForward
from builder.execute.engine import Probe

_ANSWER = 20  # seconds that an engine has to say that it is there
_TIMEOUT = 3600  # seconds; a commit or save of gigabytes answers late
_PORT = 2375
_START = "start one (`systemctl start docker`, `podman system service --time=0`)"
_THERE = "check that an engine runs there, and that the address is its own"
_MEMBER = "become a member of the group that owns the socket (`usermod -aG docker $USER`), or use sudo"
_FULL = (
    "make room there: `wslimg cache prune` for what it keeps of builds, `docker system prune` for the rest"
)
# containers/storage, pkg/chrootarchive and pkg/archive
_NO_ID = re.compile(r"insufficient UIDs or GIDs .*?\(requested (\d+:\d+) for ([^)]*)\)")
_USED = "in use by a container"  # containers/common, libimage/image.go
_IN_THE_WAY = "remove that container if nobody needs it (`podman rm`), and build again"
_FULL_DISK = ("no space left on device", "disk quota exceeded")


class EngineClient(docker.DockerClient):
    """A client of the engine at `address`; `way` is what it is reached by, and closed with it."""

    def __init__(self, address: Address, url: str) -> None:
        super().__init__(base_url=url, timeout=_ANSWER)
        self.api.timeout = _TIMEOUT
        self.address = address
        self.way = ExitStack()

    def close(self) -> None:
        """Hang up."""
        super().close()
        self.way.close()


def connect(environment: Mapping[str, str] = os.environ) -> EngineClient:
    """A client of the engine that is found. Raises ExecuteError, UsageError."""
    address = find_address(environment)
    if address is None:
        raise ExecuteError(
            "there is neither DOCKER_HOST nor a socket of Docker or Podman",
            fix=f"{_START}, or name one with DOCKER_HOST",
        )
    if address.is_local:
        _knock(address)
    with ExitStack() as way:
        url, forward = _open_way(address, way)
        try:
            with explained(address.url):
                client = EngineClient(address, url)
        except ExecuteError as error:
            trouble = forward.trouble() if forward else ""
            message = f"the engine cannot be reached: {trouble}" if trouble else error.message
            raise ExecuteError(message, where=error.where, fix=error.fix) from error
        client.way = way.pop_all()
    return client


def _open_way(address: Address, way: ExitStack) -> tuple[str, SshForward | TlsForward | None]:
    """An address that the client understands, and what leads from there to the engine until `way` closes."""
    if address.is_local:
        return address.url, None
    is_ssh, certificates = address.parts.scheme == "ssh", address.certificates
    if not is_ssh and certificates is None:
        return f"tcp://{address.parts.netloc}" + ("" if address.parts.port else f":{_PORT}"), None
    folder = Path(way.enter_context(tempfile.TemporaryDirectory(prefix="wslimg-")))
    forward = SshForward(address, folder) if is_ssh else TlsForward(address, folder)
    way.enter_context(forward.running())
    return forward.url, forward


def _knock(address: Address) -> None:
    """Raise ExecuteError if nobody listens at the socket of this machine that `address` names."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address.parts.path)
        except PermissionError:
            raise ExecuteError(
                "this user may not speak to the engine", where=address.url, fix=_MEMBER
            ) from None
        except OSError as error:
            named = f"{address.named_by} names it; " if address.named_by else ""
            raise ExecuteError(
                f"the engine does not answer: {error.strerror or error}",
                where=address.url,
                fix=f"{named}{_START}, or name another one with DOCKER_HOST",
            ) from None


def probe_docker(_folder: Path) -> Probe:
    """Whether an engine answers."""
    try:
        connect().close()
    except WslimgError as error:
        where = f"{error.where}: " if error.where else ""
        return Probe(ok=False, reason=where + error.message, fix=error.fix)
    return Probe(ok=True)


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Raise ExecuteError, naming the engine at `where`, for what it refuses and where it does not answer."""
    try:
        yield
    except APIError as error:
        raise refusal(explain(error), where) from error
    except (DockerException, requests.RequestException, ConnectionError) as error:
        message = f"the engine does not answer: {_find_reason(error)}"
        raise ExecuteError(message, where=where, fix=_THERE) from error


def explain(error: APIError) -> str:
    """The engine's own words."""
    return error.explanation or str(error)


def refusal(words: str, where: str) -> ExecuteError:
    """What the engine at `where` refuses, in its own `words`, with what to do if they are known."""
    if any(each in words.lower() for each in _FULL_DISK):
        return ExecuteError(f"the engine's disk is full: {words}", where=where, fix=_FULL)
    if found := _NO_ID.search(words):
        return ExecuteError(
            f"cannot be written with owner {found[1]}: the user who runs the engine has no such ids",
            where=found[2],
            fix="give that user more of them in /etc/subuid and /etc/subgid, then `podman system migrate`",
        )
    fix = _IN_THE_WAY if _USED in words else ""
    return ExecuteError(f"the engine refuses: {words}", where=where, fix=fix)


def _find_reason(error: BaseException) -> str:
    """The innermost cause: the ones around it repeat it in longer words."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, TimeoutError):
        return "it has said nothing for too long"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
