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

from builder.publish.content import CHECKED, TYPES, cache_control

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_LASTING = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED)


@contextmanager
def open_server(folder: Path, address: str, port: int) -> Iterator[ThreadingHTTPServer]:
    """A server of `folder` at `address` (port 0: any); it answers while `serve_forever` runs."""
    server = ThreadingHTTPServer((address, port), partial(_Handler, directory=str(folder)))
    server.daemon_threads = True
    with server:
        yield server


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """First and last byte of `size` that the header Range asks for; None for all, as for what is no single
    range. The first is behind the last where there are no such bytes (RFC 9110, 14.1.2)."""
    found = _RANGE.fullmatch(text)
    if found is None or found.group() == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **TYPES}  # noqa: RUF012 - the base class's own form
    _length: int | None = None
    _status = HTTPStatus.OK

    def send_response(self, code: int, message: str | None = None) -> None:
        """Remembers the status, which decides what may be cached."""
        self._status = HTTPStatus(code)
        super().send_response(code, message)

    def end_headers(self) -> None:
        """Images never change under their names, lists may at any moment."""
        lasting = self._status in _LASTING
        self.send_header("Cache-Control", cache_control(self.path.lstrip("/")) if lasting else CHECKED)
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def send_head(self) -> BinaryIO | None:
        """The file to send, its headers sent; from where a range begins (RFC 9110, 14)."""
        self._length = None
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return super().send_head()
        status = path.stat()
        modified = self.date_time_string(int(status.st_mtime))
        part = parse_range(self.headers.get("Range", ""), status.st_size)
        if part is None or self.headers.get("If-Range", modified) != modified:
            return super().send_head()
        return self._send_range(path, *part, status.st_size, modified)

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]  # only called by its base
        """All of `source`, or as much as the range has."""
        if self._length is None:
            shutil.copyfileobj(source, outputfile)
            return
        while self._length > 0 and (chunk := source.read(min(self._length, 1 << 18))):
            outputfile.write(chunk)
            self._length -= len(chunk)

    def _send_range(self, path: Path, first: int, last: int, size: int, modified: str) -> BinaryIO | None:
        if first > last:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        self._length = last - first + 1
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(self._length))
        self.send_header("Last-Modified", modified)
        self.end_headers()
        file = path.open("rb")
        file.seek(first)
        return file
