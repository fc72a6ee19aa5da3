"""Serves a folder as the web server of a company should: right types, ranges, and what may be cached."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_TYPES = {".wsl": "application/octet-stream", ".sig": "text/plain", ".zst": "application/octet-stream"}
_FOREVER = "public, max-age=31536000, immutable"


@contextmanager
def open_server(folder: Path, address: str, port: int) -> Iterator[ThreadingHTTPServer]:
    """A server of `folder` at `address` (port 0: any); it answers while `serve_forever` runs."""
    server = ThreadingHTTPServer((address, port), partial(_Handler, directory=str(folder)))
    server.daemon_threads = True
    with server:
        yield server


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **_TYPES}  # noqa: RUF012 - the base class's own form
    _length: int | None = None

    def end_headers(self) -> None:
        """Images never change under their names, lists may at any moment."""
        forever = self.path.startswith("/images/")
        self.send_header("Cache-Control", _FOREVER if forever else "no-cache")
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def send_head(self) -> BinaryIO | None:
        """The file to send, its headers sent; from where a range begins (RFC 9110, 14)."""
        self._length = None
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if found is None or found.group() == "bytes=-" or not path.is_file():
            return super().send_head()
        return self._send_range(path, *found.groups())

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]  # only called by its base
        """All of `source`, or as much as the range has."""
        if self._length is None:
            shutil.copyfileobj(source, outputfile)
            return
        while self._length > 0 and (chunk := source.read(min(self._length, 1 << 18))):
            outputfile.write(chunk)
            self._length -= len(chunk)

    def _send_range(self, path: Path, first: str, last: str) -> BinaryIO | None:
        size = path.stat().st_size
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start > end:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        self._length = end - start + 1
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        self.send_header("Content-Length", str(self._length))
        self.end_headers()
        file = path.open("rb")
        file.seek(start)
        return file
