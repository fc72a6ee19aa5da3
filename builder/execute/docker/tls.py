"""An engine behind TLS, as a socket of this machine."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from builder.core.errors import ExecuteError
from builder.execute.docker.address import Address
from builder.execute.docker.channel import PIECE, Channel, explain_tls

_TIMEOUT = 30.0  # seconds, to connect
_PATIENCE = 5.0  # seconds, for connections to end
_PORT = 2376
_FIX = (
    "DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem; ca.pem has to have signed the "
    "engine's certificate, and that has to be for the name in the address"
)


class TlsForward:
    """A socket whose connections each lead to the engine by one of TLS."""

    def __init__(self, address: Address, folder: Path) -> None:
        self._address = address
        self._socket = folder / "engine.sock"
        self._trouble = ""

    @property
    def url(self) -> str:
        """Where the engine answers."""
        return f"unix://{self._socket}"

    def trouble(self) -> str:
        """What a connection broke for last."""
        return self._trouble

    @contextmanager
    def running(self) -> Iterator[None]:
        """Forward until the block ends. Raises ExecuteError where the first connection fails."""
        context = self._make_context()
        self._dial(context).close()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self._socket))
            self._socket.chmod(0o600)
            server.listen()
            accepting = threading.Thread(target=self._accept, args=(server, context), daemon=True)
            accepting.start()
            try:
                yield
            finally:
                server.shutdown(socket.SHUT_RDWR)
                accepting.join()

    def _make_context(self) -> ssl.SSLContext:
        own = self._address.certificates
        assert own is not None, self._address.url
        try:
            context = ssl.create_default_context(cafile=own.ca)
            if own.cert and own.key:
                context.load_cert_chain(own.cert, own.key)
        except OSError as error:
            files = ", ".join(str(path) for path in (own.ca, own.cert, own.key) if path)
            raise ExecuteError(
                f"the certificates cannot be used: {explain_tls(error)}", where=files, fix=_FIX
            ) from None
        if not own.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _dial(self, context: ssl.SSLContext) -> Channel:
        """A new connection. Raises ExecuteError."""
        parts = self._address.parts
        host = parts.hostname or ""
        try:
            with ExitStack() as stack:
                wire = socket.create_connection((host, parts.port or _PORT), timeout=_TIMEOUT)
                stack.callback(wire.close)
                channel = Channel(wire, context, host)
                stack.pop_all()
            return channel
        except OSError as error:
            fix = (
                _FIX
                if isinstance(error, ssl.SSLError)
                else "check the address, and that the engine listens there"
            )
            raise ExecuteError(
                f"the engine cannot be reached: {explain_tls(error)}", where=self._address.url, fix=fix
            ) from None

    def _accept(self, server: socket.socket, context: ssl.SSLContext) -> None:
        with ExitStack() as serving, suppress(OSError):  # the server is closed
            while True:
                plain, _ = server.accept()
                thread = threading.Thread(target=self._serve, args=(plain, context), daemon=True)
                thread.start()
                serving.callback(thread.join, _PATIENCE)

    def _serve(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        """Carry both ways until both ends have no more to say."""
        with plain:
            try:
                channel = self._dial(context)
            except ExecuteError as error:
                self._trouble = error.message
                return
            sender = threading.Thread(target=self._send, args=(plain, channel), daemon=True)
            sender.start()
            try:
                for data in channel.receive():
                    plain.sendall(data)
            except OSError as error:
                self._trouble = explain_tls(error)
            with suppress(OSError):
                plain.shutdown(socket.SHUT_RDWR)
            channel.close()
            sender.join()

    def _send(self, plain: socket.socket, channel: Channel) -> None:
        with suppress(OSError):  # who receives sees it as well
            while data := plain.recv(PIECE):
                channel.send(data)
            channel.end()
