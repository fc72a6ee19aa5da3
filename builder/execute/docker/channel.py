"""A connection by TLS that can be closed by half."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

PIECE = 1 << 16
"""The most bytes that are read at once."""


class Channel:
    """A connection by TLS whose one direction can be ended, which `ssl.SSLSocket` cannot: its `unwrap` waits
    for the other side, too, and loses what comes meanwhile (SSL_shutdown(3)).

    One thread may send while another receives. Both raise OSError.
    """

    def __init__(self, wire: socket.socket, context: ssl.SSLContext, host: str) -> None:
        """Shake hands with `host` at the other end of `wire`. Raises OSError."""
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
            data = self._wire.recv(PIECE)
            with self._state:  # as one act: ending our direction would lose what lies undecrypted
                self._feed(data)
                pieces, ended = self._decrypt()

    def close(self) -> None:
        """Close without a word, also under who is sending."""
        with suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        self._wire.close()

    def _decrypt(self) -> tuple[list[bytes], bool]:
        """All that there is, and whether nothing can follow."""
        pieces = []
        try:
            while data := self._tls.read(PIECE):
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
                self._feed(self._wire.recv(PIECE))
            else:
                self._flush()
                return


def explain_tls(error: OSError) -> str:
    """The reason in words: certificates have a sentence of their own."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return error.strerror or str(error)
