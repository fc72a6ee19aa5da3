"""Stand-ins for package managers that do not run here, made after their documentation.

They test what wslimg sends and understands, and prove nothing about the products themselves. None honours
conditions. Last-Modified is by a clock that never stands still, as claims compare times.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit


@dataclass(frozen=True, kw_only=True)
class Stored:
    number: int
    path: str
    data: bytes
    created: float = field(default_factory=time)


@dataclass
class Store:
    """The files of a server, in order, and the headers of every request. The next `refusals` uploads meet a
    server that is overloaded."""

    refusals: int = 0
    files: list[Stored] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    def add(self, path: str, data: bytes, *, replace: bool) -> None:
        with self.lock:
            kept = [file for file in self.files if not (replace and file.path == path)]
            self.files = [*kept, Stored(number=next(self.numbers), path=path, data=data)]

    def newest(self, path: str) -> Stored | None:
        return next((file for file in reversed(self.files) if file.path == path), None)

    def remove(self, wanted: Any) -> bool:
        with self.lock:
            before = len(self.files)
            self.files = [file for file in self.files if not wanted(file)]
            return len(self.files) < before


class Product(BaseHTTPRequestHandler):
    """Files under `prefix`; `login` is a header that every request has to have."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    store: Store
    prefix = "/"
    login: tuple[str, str] | None = None
    replaces = True

    def log_message(self, *_: object) -> None: ...

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.store.requests.append((self.command, self.path, headers))
            if self.login and headers.get(self.login[0].lower()) != self.login[1]:
                self.rfile.read(int(headers.get("content-length", 0)))
                self.answer(401)
                return False
        return parsed

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, value: object, headers: dict[str, str] | None = None) -> None:
        self.answer(200, json.dumps(value).encode(), headers)

    @property
    def file(self) -> str:
        path = unquote(urlsplit(self.path).path)
        assert path.startswith(self.prefix), path
        return path.removeprefix(self.prefix)

    def do_GET(self) -> None:
        if self.list_files():
            return
        found = self.store.newest(self.file)
        if found is None:
            self.answer(404)
            return
        dates = {"Last-Modified": formatdate(found.created, usegmt=True), "ETag": f'"{found.number}"'}
        self.answer(200, found.data, dates)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.store.refusals:
            self.store.refusals -= 1
            self.answer(503, headers={"Retry-After": "0"})
            return
        self.store.add(self.file, data, replace=self.replaces)
        self.answer(201)

    def do_DELETE(self) -> None:
        removed = self.store.remove(lambda file, path=self.file: file.path == path)
        self.answer(204 if removed else 404)

    def list_files(self) -> bool:
        raise NotImplementedError

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}


class Artifactory(Product):
    """Deploy, Retrieve, Delete, and Folder Info of JFrog's REST API."""

    prefix = "/artifactory/wsl-local/team/"

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["X-Checksum-Sha256"] != hashlib.sha256(data).hexdigest():
            self.answer(409)
            return
        self.store.add(self.file, data, replace=True)
        self.answer(201)

    def list_files(self) -> bool:
        place = "/artifactory/api/storage/wsl-local/team"
        path = unquote(urlsplit(self.path).path)
        if not path.startswith(place):
            return False
        folder = path.removeprefix(place).strip("/")
        folder = f"{folder}/" if folder else ""
        below = [file.path.removeprefix(folder) for file in self.store.files if file.path.startswith(folder)]
        names = {name.partition("/")[::2] for name in below}
        rows = {first: bool(rest) for first, rest in sorted(names)}
        if not rows:
            self.answer(404)
        else:
            children = [{"uri": f"/{name}", "folder": is_folder} for name, is_folder in rows.items()]
            self.answer_json({"repo": "wsl-local", "path": f"/team/{folder}", "children": children})
        return True


class Nexus(Product):
    """A raw repository, and the pages of the Assets API."""

    prefix = "/repository/raw/"

    def list_files(self) -> bool:
        if urlsplit(self.path).path != "/service/rest/v1/assets":
            return False
        assert self.query["repository"] == "raw"
        start = int(self.query.get("continuationToken", "0"))
        page = [
            {"path": f"/{file.path}", "id": str(file.number)} for file in self.store.files[start : start + 3]
        ]
        after = str(start + 3) if start + 3 < len(self.store.files) else None
        self.answer_json({"items": page, "continuationToken": after})
        return True


class GitLab(Product):
    """Generic packages: files of one name pile up, and the newest is handed out."""

    prefix = "/api/v4/projects/7/packages/generic/wsl/1/"
    packages = "/api/v4/projects/7/packages"
    replaces = False

    def do_HEAD(self) -> None:
        raise AssertionError("the documentation knows no HEAD")

    def do_DELETE(self) -> None:
        number = int(self.path.removeprefix(f"{self.packages}/5/package_files/"))
        self.answer(204 if self.store.remove(lambda file: file.number == number) else 404)

    def list_files(self) -> bool:
        path = urlsplit(self.path).path
        if path == self.packages:
            others = [
                {"id": 4, "name": "wsl-other", "version": "1"},
                {"id": 3, "name": "wsl", "version": "2"},
            ]
            here = [{"id": 5, "name": "wsl", "version": "1"}] if self.store.files else []
            self.answer_page([*others, *here], 1)
        elif path == f"{self.packages}/5/package_files":
            self.answer_page([self.row(file) for file in self.store.files], 3)
        else:
            return False
        return True

    def row(self, file: Stored) -> dict[str, object]:
        name = quote(file.path, safe="") if "/" in file.path else file.path
        created = datetime.fromtimestamp(file.created, UTC).isoformat()
        return {"id": file.number, "file_name": name, "size": len(file.data), "created_at": created}

    def answer_page(self, rows: list[dict[str, object]], size: int) -> None:
        page = int(self.query["page"])
        part = rows[(page - 1) * size : page * size]
        self.answer_json(part, {"X-Next-Page": str(page + 1) if page * size < len(rows) else ""})


@contextmanager
def product_server(kind: type[Product], login: tuple[str, str] | None = None) -> Iterator[tuple[str, Store]]:
    """The address of the files of a `kind`, and what it has."""
    store = Store()
    handler = type("Handler", (kind,), {"store": store, "login": login})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{kind.prefix}", store
        finally:
            server.shutdown()
            thread.join()
