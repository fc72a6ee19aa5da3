"""A proxy on loopback that answers requests for some addresses with what others have."""

from __future__ import annotations

import base64
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from builder.core.errors import ResolveError
from builder.core.http import Http, NotFoundError

_USER = "wslimg"


@contextmanager
def open_relay(addresses: Mapping[str, tuple[str, ...]], http: Http) -> Iterator[str]:
    """The address of an HTTP proxy (RFC 9110, 7.7) that serves what lies below the keys of `addresses`.

    A request below a key goes through `http` to the first of its values that has the file; any other is
    refused. Only who knows the password in the address may ask.
    """
    password = secrets.token_urlsafe(16)
    server = _Server(addresses, http, password)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="relay", daemon=True)
    thread.start()
    try:
        yield f"http://{_USER}:{password}@127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, addresses: Mapping[str, tuple[str, ...]], http: Http, password: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.http = http
        self.credentials = "Basic " + base64.b64encode(f"{_USER}:{password}".encode()).decode()
        self._addresses = {prefix.rstrip("/") + "/": urls for prefix, urls in addresses.items()}

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - its signature
        """Who asked may hang up at any time."""
        if not isinstance(sys.exception(), ConnectionError):
            raise

    def translate(self, url: str) -> tuple[str, ...]:
        """Where to ask for `url`, in turn; empty where nothing says so. The longest prefix counts."""
        for prefix in sorted(self._addresses, key=len, reverse=True):
            if url.startswith(prefix):
                return tuple(f"{base.rstrip('/')}/{url[len(prefix) :]}" for base in self._addresses[prefix])
        return ()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer from the first address that has the file."""
        urls = self.server.translate(self.path)
        if not secrets.compare_digest(self.headers.get("Proxy-Authorization", ""), self.server.credentials):
            self._refuse(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "this is the relay of a build")
        elif not urls:
            self._refuse(HTTPStatus.FORBIDDEN, "only the archives of the base are relayed")
        else:
            self._relay(urls)

    def _relay(self, urls: tuple[str, ...]) -> None:
        problem = ResolveError("there is no address to ask")
        for url in urls:
            try:
                with closing(self.server.http.chunks(url)) as chunks:
                    # Nothing is sent before the first bytes are there, so that another address can answer.
                    first = next(chunks, b"")
                    self._send(first, chunks)
                    return
            except ResolveError as error:
                problem = error
                if self.close_connection:
                    return
        missing = isinstance(problem, NotFoundError)
        self._refuse(HTTPStatus.NOT_FOUND if missing else HTTPStatus.BAD_GATEWAY, problem.message)

    def _send(self, first: bytes, rest: Iterator[bytes]) -> None:
        """The content in chunks (RFC 9112, 7.1): a transfer that breaks lacks the last, and is seen to."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._send_chunk(first)
        for chunk in rest:
            self._send_chunk(chunk)
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = False

    def _send_chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        # send_error would close the connection, which apt keeps for its next requests.
        body = f"{message}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: apt in the step says what it asked for."""
