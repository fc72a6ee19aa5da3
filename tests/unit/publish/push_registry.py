"""A registry inside the test that takes what is pushed, with every way to be difficult."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.unit.sources.oci.registries import send, sha256

LOCK = threading.RLock()
Handler = BaseHTTPRequestHandler


class PushRegistry:
    """One repository, team/wsl. `before` may answer a request, and then says so; `page` is how many tags are
    listed at once; `remembers` says whether an upload can be asked how far it got."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, bytes] = {}
        self.uploads: list[bytes] = []
        self.seen: list[tuple[str, str]] = []
        self.before: Callable[[Handler], bool] = lambda _: False
        self.page = 1000
        self.remembers = True
        self.address = ""

    def answer(self, handler: Handler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        handler.body = handler.rfile.read(length)  # type: ignore[attr-defined]  # where answers look for it
        with LOCK:
            self.seen.append((handler.command, handler.path))
            if not self.before(handler):
                self.serve(handler)

    def serve(self, handler: Handler) -> None:
        path = urlsplit(handler.path).path.removeprefix("/v2/team/wsl")
        for pattern, act in (
            (r"/manifests/(.+)", self.manifest),
            (r"/tags/list()", self.list_tags),
            (r"/blobs/uploads/(\d*)", self.upload),
            (r"/blobs/sha256:(\w+)", self.blob),
        ):
            if found := re.fullmatch(pattern, path):
                act(handler, found[1])
                return
        send(handler, 404)

    def manifest(self, handler: Handler, wanted: str) -> None:
        if handler.command == "PUT":
            self.tags[wanted] = handler.body  # type: ignore[attr-defined]  # set above
            send(handler, 201)
        elif handler.command == "DELETE":
            gone = [tag for tag, data in self.tags.items() if f"sha256:{sha256(data)}" == wanted]
            for tag in gone:
                del self.tags[tag]
            send(handler, 202 if gone else 404)
        elif wanted in self.tags:
            data = self.tags[wanted]
            send(handler, 200, data, Docker_Content_Digest=f"sha256:{sha256(data)}")
        else:
            send(handler, 404)

    def list_tags(self, handler: Handler, _: str) -> None:
        last = parse_qs(urlsplit(handler.path).query).get("last", [""])[0]
        rest = [tag for tag in sorted(self.tags) if tag > last]
        page = rest[: self.page]
        link = {"Link": f'</v2/team/wsl/tags/list?last={page[-1]}>; rel="next"'} if rest != page else {}
        send(handler, 200, json.dumps({"tags": page}).encode(), **link)

    def upload(self, handler: Handler, number: str) -> None:
        body: bytes = handler.body  # type: ignore[attr-defined]  # set above
        if handler.command == "POST":
            self.uploads.append(b"")
            self.send_place(handler, 202, len(self.uploads) - 1)
        elif handler.command == "GET" and self.remembers:
            self.send_place(handler, 204, int(number))
        elif handler.command == "PATCH" and self.fits(handler, int(number)):
            self.uploads[int(number)] += body
            self.send_place(handler, 202, int(number))
        elif handler.command == "PUT":
            digest = parse_qs(urlsplit(handler.path).query)["digest"][0].removeprefix("sha256:")
            self.blobs[digest] = self.uploads[int(number)] + body
            send(handler, 201, Docker_Content_Digest=f"sha256:{sha256(self.blobs[digest])}")
        else:
            send(handler, 416 if self.remembers else 404)

    def fits(self, handler: Handler, number: int) -> bool:
        return handler.headers["Content-Range"].split("-")[0] == str(len(self.uploads[number]))

    def send_place(self, handler: Handler, status: int, number: int) -> None:
        last = max(0, len(self.uploads[number]) - 1)
        place = f"/v2/team/wsl/blobs/uploads/{number}"
        send(handler, status, Location=place, Range=f"0-{last}")

    def blob(self, handler: Handler, digest: str) -> None:
        if digest in self.blobs:
            send(handler, 200, b"" if handler.command == "HEAD" else self.blobs[digest])
        else:
            send(handler, 404)


@contextmanager
def serving(registry: PushRegistry) -> Iterator[PushRegistry]:
    class Serving(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            registry.answer(self)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names that http.server looks for

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Serving) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        registry.address = f"oci://127.0.0.1:{server.server_port}/team/wsl"
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()
