"""A mirror on loopback that fetches each file once, so that the network is out of what is measured."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from builder.core.errors import ResolveError
from builder.core.files import write_atomic
from builder.core.http import Http, NotFoundError

UPSTREAM = "http://deb.debian.org"
_LARGEST = 1 << 30


@contextmanager
def serve_mirror(folder: Path, listener: socket.socket | None = None) -> Iterator[str]:
    """The address of a server for what UPSTREAM has, at `listener` or on loopback. It stays in the state in
    which it was first asked for: files are kept in `folder`, names that do not exist in memory."""
    http = Http()
    missing: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = folder / self.path.lstrip("/")
            if self.path not in missing and not path.is_file():
                try:
                    write_atomic(path, http.read(UPSTREAM + self.path, limit=_LARGEST))
                except NotFoundError:
                    missing.add(self.path)
                except ResolveError as error:
                    self.send_error(502, error.message)
                    return
            self._send(path)

        def _send(self, path: Path) -> None:
            found = self.path not in missing
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(path.stat().st_size if found else 0))
            self.end_headers()
            if found:
                with path.open("rb") as file:
                    shutil.copyfileobj(file, self.wfile, 1 << 20)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener or socket.create_server(("127.0.0.1", 0))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
