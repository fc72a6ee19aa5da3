"""Finds an engine that answers Docker's API, and says what is wrong where none does."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
from docker.context import ContextAPI
from docker.errors import APIError, DockerException

from builder.core.errors import ExecuteError
from builder.execute.engine import Probe

_TIMEOUT = 3600  # seconds; a commit or save of gigabytes answers late
_LOCAL = ("/var/run/docker.sock", "/run/podman/podman.sock")
_FIX = "start one (`systemctl start docker`, `podman system service --time=0`), or name one with DOCKER_HOST"


def find_address(environment: Mapping[str, str] = os.environ) -> str:
    """Where an engine is to be found: DOCKER_HOST, the context that `docker` uses, or a socket of this
    machine. Empty if there is none."""
    if address := environment.get("DOCKER_HOST"):
        return address
    context = ContextAPI.get_current_context()
    if context is not None and context.name != "default" and context.Host:
        return str(context.Host)
    runtime = environment.get("XDG_RUNTIME_DIR")
    own = [f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock"] if runtime else []
    return next((f"unix://{path}" for path in (*own, *_LOCAL) if Path(path).is_socket()), "")


def connect() -> docker.DockerClient:
    """A client of the engine that is found. Raises ExecuteError."""
    address = find_address()
    if not address:
        raise ExecuteError("there is neither DOCKER_HOST nor a socket of Docker or Podman", fix=_FIX)
    _refuse_tunnel(address)
    _knock(address)
    with explained(address):
        client = docker.DockerClient(base_url=address, timeout=_TIMEOUT)
        client.ping()
    return client


def _refuse_tunnel(address: str) -> None:
    """The end of a command's input is told by closing half of a connection, which TLS has no word for."""
    if address.startswith(("ssh://", "https://")) or os.environ.get("DOCKER_TLS_VERIFY"):
        raise ExecuteError(
            "engines behind ssh or TLS are not supported",
            where=address,
            fix="forward the socket: ssh -N -L ./docker.sock:/var/run/docker.sock HOST, then"
            " DOCKER_HOST=unix://$PWD/docker.sock",
        )


def _knock(address: str) -> None:
    """Raise ExecuteError if nobody listens at the socket of this machine that `address` names."""
    if not address.startswith("unix://"):
        return
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address.removeprefix("unix://"))
        except PermissionError:
            fix = (
                "become a member of the group that owns the socket (`usermod -aG docker $USER`), or use sudo"
            )
            raise ExecuteError("this user may not speak to the engine", where=address, fix=fix) from None
        except OSError as error:
            raise ExecuteError(
                f"the engine does not answer: {error.strerror}", where=address, fix=_FIX
            ) from None


def probe_docker(_folder: Path) -> Probe:
    """Whether an engine answers."""
    try:
        connect().close()
    except ExecuteError as error:
        where = f"{error.where}: " if error.where else ""
        return Probe(ok=False, reason=where + error.message, fix=error.fix)
    return Probe(ok=True)


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Raise ExecuteError, naming the engine at `where`, for what it refuses and where it does not answer."""
    try:
        yield
    except APIError as error:
        raise ExecuteError(f"the engine refuses: {explain(error)}", where=where) from error
    except (DockerException, requests.RequestException, ConnectionError) as error:
        raise ExecuteError(f"the engine does not answer: {error}", where=where, fix=_FIX) from error


def explain(error: APIError) -> str:
    """The engine's own words."""
    return error.explanation or str(error)
