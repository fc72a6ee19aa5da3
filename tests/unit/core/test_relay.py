from __future__ import annotations

import http.client
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest

from builder.core.http import Http, Route
from builder.core.relay import open_relay

PUBLIC = "http://archive.example.org/debian"


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = files.get(self.path)
            self.send_response(404 if data is None else 200)
            # What "/cut" promises it does not keep.
            self.send_header("Content-Length", str(len(data or b"") + 5 * (self.path == "/cut")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def connected(*mirrors: str) -> Iterator[Asker]:
    client = Http(route=lambda _url: Route(proxy="DIRECT"), attempts=1, timeout=10)
    with open_relay({PUBLIC: mirrors}, client) as proxy:
        asker = Asker(proxy)
        try:
            yield asker
        finally:
            asker.connection.close()


class Asker:
    """Asks as apt does: absolute addresses, one connection, the login of the proxy's address."""

    def __init__(self, proxy: str) -> None:
        parts = urlsplit(proxy)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        login = b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        self.headers = {"Proxy-Authorization": f"Basic {login}"}

    def get(self, url: str, **headers: str) -> tuple[int, bytes]:
        self.connection.request("GET", url, headers=headers or self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def test_what_is_below_an_address_comes_from_another() -> None:
    with serve({"/x/a": b"a" * 600_000, "/x/empty": b""}) as mirror, connected(f"{mirror}/x/") as asker:
        assert asker.get(f"{PUBLIC}/a") == (200, b"a" * 600_000)
        assert asker.get(f"{PUBLIC}/empty") == (200, b"")


def test_the_next_mirror_answers_for_one_that_lacks_the_file_or_is_dead() -> None:
    dead = "http://127.0.0.1:1"
    with serve({}) as empty, serve({"/a": b"found"}) as full, connected(empty, dead, full) as asker:
        assert asker.get(f"{PUBLIC}/a") == (200, b"found")


def test_a_file_that_nobody_has_is_missing_and_a_dead_mirror_is_named() -> None:
    with serve({}) as empty, connected(empty) as asker:
        assert asker.get(f"{PUBLIC}/a")[0] == 404
    with connected("http://127.0.0.1:1") as asker:
        status, text = asker.get(f"{PUBLIC}/a")
        assert status == 502
        assert b"cannot be read after 1 attempts" in text


def test_other_addresses_and_strangers_are_refused() -> None:
    with serve({"/a": b"found"}) as mirror, connected(mirror) as asker:
        assert asker.get("http://archive.example.org/debian-other/a")[0] == 403
        assert asker.get("http://elsewhere.example.org/a")[0] == 403
        assert asker.get(f"{PUBLIC}/a", Accept="*/*")[0] == 407
        assert asker.get(f"{PUBLIC}/a")[0] == 200


def test_a_transfer_that_is_cut_is_seen_to_be() -> None:
    with (
        serve({"/cut": bytes(600_000)}) as mirror,
        connected(mirror) as asker,
        pytest.raises(http.client.IncompleteRead),
    ):
        asker.get(f"{PUBLIC}/cut")
