"""The session of one build: what BuildKit asks of it, and the connection that it asks over.

Sources: moby/buildkit session/grpc.go (session), session/secrets/secrets.proto, session/auth/auth.proto,
session/upload/upload.proto, source/http/transport.go; moby/moby api/server/router/session.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import docker
from h2.exceptions import ProtocolError

from builder.core.errors import ResolveError
from builder.execute.docker.buildkit.http2 import (
    FAILED_PRECONDITION,
    NOT_FOUND,
    CallError,
    Method,
    Server,
)
from builder.execute.docker.buildkit.messages import read_bytes, write_bytes, write_number
from builder.sources.oci.credentials import find_login
from builder.sources.oci.reference import DOCKER_HUB

_HEALTH = "/grpc.health.v1.Health/Check"
_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # noqa: S105 - a method's name
_CREDENTIALS = "/moby.filesync.v1.Auth/Credentials"
_UPLOAD = "/moby.upload.v1.Upload/Pull"
CONTEXT = "http://buildkit-session/context"
"""What BuildKit is to take for the address of the context that a session has."""

_SERVING = 1
_PIECE = 1 << 16
_HUB_HOSTS = ("registry-1.docker.io", "index.docker.io")
_TOKEN_USER = ""  # Docker's own client names nobody with a refresh token (cli/config/credentials)


@contextmanager
def open_session(
    api: Any, secret_values: Mapping[str, bytes], context: Callable[[], Iterable[bytes]]
) -> Iterator[str]:
    """The name of a session that answers until the block ends, for the `session` of a build. `context` gives
    the archive that is to be had at CONTEXT."""
    name = secrets.token_hex(16)
    connection = _Connection(api, name)
    methods = list_methods(secret_values, os.environ)
    upload = {_UPLOAD: lambda: (write_bytes(1, piece) for piece in _gather(context()))}
    server = Server(connection.read, connection.write, methods, upload)
    thread = threading.Thread(target=_serve, args=(server,), name="buildkit-session", daemon=True)
    thread.start()
    try:
        yield name
    finally:
        connection.close()
        thread.join()


def list_methods(secret_values: Mapping[str, bytes], environment: Mapping[str, str]) -> dict[str, Method]:
    """What is served: `secret_values` by their names, and the logins that `docker login` left."""

    def check(_request: bytes) -> bytes:
        return write_number(1, _SERVING)

    def get_secret(request: bytes) -> bytes:
        name = read_bytes(request, 1).decode("utf-8", "replace")
        if name not in secret_values:
            raise CallError(NOT_FOUND, f"the recipe gives no secret {name}")
        return write_bytes(1, secret_values[name])

    def get_credentials(request: bytes) -> bytes:
        host = read_bytes(request, 1).decode("utf-8", "replace")
        try:
            login = find_login(DOCKER_HUB if host in _HUB_HOSTS else host, "", environment)
        except ResolveError as error:
            raise CallError(FAILED_PRECONDITION, str(error)) from None
        if login is None:
            return b""  # anonymous
        user, password = (_TOKEN_USER, login.identity) if login.identity else (login.user, login.password)
        return write_bytes(1, user.encode()) + write_bytes(2, password.encode())

    return {_HEALTH: check, _SECRET: get_secret, _CREDENTIALS: get_credentials}


def _gather(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`pieces` in larger ones: an archive has many short headers."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= _PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _serve(server: Server) -> None:
    """Serve to the end. A build whose session is gone says so itself."""
    with suppress(OSError, ValueError, ProtocolError):
        server.serve()


class _Connection:
    """The connection that the engine took over as BuildKit's."""

    def __init__(self, api: docker.APIClient, name: str) -> None:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "h2c",
            "X-Docker-Expose-Session-Uuid": name,
            "X-Docker-Expose-Session-Name": "wslimg",
        }
        client: Any = api  # its stubs lack what is needed
        self._response = client._post(client._url("/session"), headers=headers, stream=True)
        client._raise_for_status(self._response)
        # What came right behind the answer is in the buffer of the answer.
        self._file = self._response.raw._fp.fp
        self._socket: socket.socket = getattr(self._file.raw, "_sock", self._file.raw)
        self.read = self._file.read1

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Hang up, so that whoever reads comes to an end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._response.close()
