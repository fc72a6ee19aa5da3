"""A registry inside the test, on loopback, with every way to be difficult."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from builder.core.http import Http, Route

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Content:
    """Documents and blobs by digest, and tags."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}

    def put(self, data: bytes) -> str:
        self.files[sha256(data)] = data
        return sha256(data)

    def put_json(self, value: object) -> str:
        return self.put(json.dumps(value).encode())

    def describe(self, digest: str, kind: str, **more: object) -> dict[str, Any]:
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(self.files[digest]), **more}

    def image(
        self,
        *tars: bytes,
        architecture: str = "amd64",
        config: Mapping[str, object] = {},
        pack: Callable[[bytes], bytes] = lambda data: gzip.compress(data, 1),
        created: str = "2025-03-01T00:00:00Z",
        tag: str = "latest",
    ) -> str:
        layers = [self.describe(self.put(pack(tar)), GZIP) for tar in tars]
        diff_ids = [f"sha256:{sha256(tar)}" for tar in tars]
        described = self.put_json(
            {
                "os": "linux",
                "architecture": architecture,
                "created": created,
                "config": dict(config),
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
            }
        )
        digest = self.put_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.describe(described, CONFIG),
                "layers": layers,
            }
        )
        self.tags[tag] = digest
        return digest


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    data: bytes = b"",
    *,
    length: int | None = None,
    **headers: str,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def send_part(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """All of `data`, or what a Range asks for."""
    start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
    send(handler, 206 if start else 200, data[start:])


class FakeRegistry:
    """Serves `content` as the repository team/base. `guard` answers a request that may not pass and says so;
    `serve` replaces how a file with that digest is sent. `seen` has (path, Authorization) of all requests."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.guard: Callable[[BaseHTTPRequestHandler], bool] = lambda _handler: False
        self.serve: dict[str, Answer] = {}
        self.seen: list[tuple[str, str]] = []
        self.host = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append((handler.path, handler.headers.get("Authorization", "")))
        if self.guard(handler):
            return
        wanted = handler.path.rpartition("/")[2]
        digest = self.content.tags.get(wanted, wanted.removeprefix("sha256:"))
        if digest not in self.content.files or "/team/base/" not in handler.path:
            send(handler, 404)
        else:
            self.serve.get(digest, send_part)(handler, self.content.files[digest])

    @property
    def reference(self) -> str:
        return f"{self.host}/team/base"


@contextmanager
def serving(registry: FakeRegistry) -> Iterator[FakeRegistry]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.answer(self)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    registry.host = f"127.0.0.1:{server.server_port}"
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client() -> Http:
    return Http(route=lambda _url: Route(proxy="DIRECT"), attempts=3, pause=0, timeout=10)
