"""An engine behind TLS, as a socket of this machine."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from builder.core.errors import ExecuteError
from builder.execute.docker.address import Address, Certificates

_PIECE = 1 << 16
_TIMEOUT = 30.0  # seconds, to connect
_PATIENCE = 5.0  # seconds, for connections to end
_PORT = 2376
_FIX = (
    "DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem; ca.pem has to have signed the "
    "engine's certificate, and that has to be for the name in the address"
)


class TlsForward:
    """A socket whose connections each lead to the engine by one of TLS."""

    def __init__(self, address: Address, certificates: Certificates, folder: Path) -> None:
        self._address = address
        self._certificates = certificates
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
        own = self._certificates
        try:
            context = ssl.create_default_context(cafile=own.ca)
            if own.cert and own.key:
                context.load_cert_chain(own.cert, own.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(path) for path in (own.ca, own.cert, own.key) if path)
            raise ExecuteError(
                f"the certificates cannot be used: {_explain(error)}", where=files, fix=_FIX
            ) from None
        if not own.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _dial(self, context: ssl.SSLContext) -> _Channel:
        """A new connection. Raises ExecuteError."""
        parts = self._address.parts
        host = parts.hostname or ""
        try:
            with ExitStack() as stack:
                wire = socket.create_connection((host, parts.port or _PORT), timeout=_TIMEOUT)
                stack.callback(wire.close)
                channel = _Channel(wire, context, host)
                stack.pop_all()
            return channel
        except OSError as error:
            fix = (
                _FIX
                if isinstance(error, ssl.SSLError)
                else "check the address, and that the engine listens there"
            )
            raise ExecuteError(
                f"the engine cannot be reached: {_explain(error)}", where=self._address.url, fix=fix
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
                self._trouble = _explain(error)
            with suppress(OSError):
                plain.shutdown(socket.SHUT_RDWR)
            sender.join()
            channel.close()

    def _send(self, plain: socket.socket, channel: _Channel) -> None:
        with suppress(OSError):  # who receives sees it as well
            while data := plain.recv(_PIECE):
                channel.send(data)
            channel.end()


class _Channel:
    """A connection by TLS whose one direction can be ended, which `ssl.SSLSocket` cannot: its `unwrap` waits
    for the other side, too, and loses what comes meanwhile (SSL_shutdown(3))."""

    def __init__(self, wire: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._wire = wire
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._state, self._sending = threading.Lock(), threading.Lock()
        self._shake_hands()
        wire.settimeout(None)

    def send(self, data: bytes) -> None:
        """Encrypt and send."""
        with self._state:
            self._tls.write(data)
        self._flush()

    def end(self) -> None:
        """Say that nothing more follows; the other direction stays open."""
        with self._state, suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._flush()

    def receive(self) -> Iterator[bytes]:
        """What comes, decrypted, to its end."""
        with self._state:
            pieces, ended = self._decrypt()
        while True:
            yield from pieces
            self._flush()
            if ended:
                return
            data = self._wire.recv(_PIECE)
            with self._state:  # as one act: ending our direction would lose what lies undecrypted
                self._feed(data)
                pieces, ended = self._decrypt()

    def close(self) -> None:
        """Close without a word."""
        self._wire.close()

    def _decrypt(self) -> tuple[list[bytes], bool]:
        """All that there is, and whether nothing can follow."""
        pieces = []
        try:
            while data := self._tls.read(_PIECE):
                pieces.append(data)
        except ssl.SSLWantReadError:
            return pieces, False
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        return pieces, True

    def _feed(self, data: bytes) -> None:
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def _flush(self) -> None:
        with self._sending:
            with self._state:
                data = self._out.read()
            if data:
                self._wire.sendall(data)

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed(self._wire.recv(_PIECE))
            else:
                self._flush()
                return


def _explain(error: OSError) -> str:
    """The reason in words: certificates have a sentence of their own."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return error.strerror or str(error)
