from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from builder.core.errors import ResolveError
from builder.core.http import Http, NotFoundError, Route, UnreachableError, certificates, without_login
from builder.core.http_answers import pause_before

DATA = bytes(range(256)) * 4096


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_HEAD(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/file"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client(login: tuple[str, str] | None = None) -> Http:
    return Http(route=lambda _url: Route(proxy="DIRECT", login=login), attempts=3, pause=0, timeout=10)


def send(
    handler: BaseHTTPRequestHandler, status: int, data: bytes, announced: int | None = None, **headers: str
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data) if announced is None else announced))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def send_part(
    handler: BaseHTTPRequestHandler, data: bytes, start: int, count: int, headers: Mapping[str, str] = {}
) -> None:
    """`count` bytes of `data` from `start` on, and a connection that breaks where there are more."""
    part = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
    send(
        handler,
        206 if start else 200,
        data[start : start + count],
        announced=len(data) - start,
        **part,
        **headers,
    )


def test_a_cut_transfer_is_resumed_where_it_stopped() -> None:
    starts: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        starts.append(start)
        send_part(handler, DATA, start, len(DATA) // 2)

    with serving(answer) as url:
        assert client().read(url, limit=len(DATA)) == DATA
    assert starts == [0, len(DATA) // 2]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"ETag": '"1"'}, {"ETag": '"2"'}, False),
        ({"ETag": '"1"', "Last-Modified": "Mon"}, {"ETag": '"2"', "Last-Modified": "Mon"}, True),
        ({"ETag": '"1"', "Last-Modified": "Mon"}, {"ETag": '"2"', "Last-Modified": "Tue"}, False),
        ({"Last-Modified": "Mon"}, {"Last-Modified": "Tue"}, False),
        ({"ETag": '"1"'}, {"Last-Modified": "Tue"}, True),
        ({}, {}, True),
    ],
)
@pytest.mark.parametrize("ranges", [True, False])
def test_two_files_are_never_read_as_one(
    first: dict[str, str], second: dict[str, str], same: bool, ranges: bool
) -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        begun = len(asked) > 1
        start = len(DATA) // 2 if begun and ranges else 0
        send_part(handler, DATA, start, len(DATA) if begun else len(DATA) // 2, second if begun else first)

    with serving(answer) as url:
        if same:
            assert client().read(url, limit=len(DATA)) == DATA
        else:
            with pytest.raises(UnreachableError, match="was replaced while it was read"):
                client().read(url, limit=len(DATA))
    assert len(asked) == 2


@pytest.mark.parametrize("sent", ["bytes */5", f"bytes {len(DATA) - 1}-{len(DATA) - 1}/{len(DATA)}"])
def test_another_part_than_was_asked_for_is_not_taken(sent: str) -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        if len(asked) == 2:
            send(handler, 206, DATA[-1:], **{"Content-Range": sent})
        else:
            send(handler, 200, DATA[: 1000 if len(asked) == 1 else None], announced=len(DATA))

    with serving(answer) as url:
        assert client().read(url, limit=len(DATA)) == DATA
    assert len(asked) == 3


def test_a_server_without_ranges_is_read_again_from_the_start() -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        send(handler, 200, DATA[: 1000 if len(asked) == 1 else None], announced=len(DATA))

    with serving(answer) as url:
        assert client().read(url, limit=len(DATA)) == DATA
    assert len(asked) == 2


def test_a_passing_error_is_tried_again() -> None:
    statuses = iter((503, 429, 200))
    with serving(lambda handler: send(handler, next(statuses), b"ok")) as url:
        assert client().read(url, limit=10) == b"ok"


def test_an_error_that_stays_is_reported_with_address_and_fix() -> None:
    with serving(lambda handler: send(handler, 500, b"")) as url:
        with pytest.raises(UnreachableError) as caught:
            client().read(url, limit=10)
        message = str(caught.value)
    assert message.startswith(f"{url}: cannot be read after 3 attempts (the server answered 500")
    assert "http_proxy" in message


def test_a_limit_that_stays_is_reported_with_what_helps_against_it() -> None:
    with (
        serving(lambda handler: send(handler, 429, b"")) as url,
        pytest.raises(UnreachableError, match="the server answered 429") as caught,
    ):
        client().read(url, limit=10)
    assert "log in (`docker login HOST`), or choose another mirror" in caught.value.fix


def test_a_missing_file_is_not_asked_for_twice() -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        send(handler, 404, b"")

    with serving(answer) as url, pytest.raises(NotFoundError, match="no such file on the server"):
        client().read(url, limit=10)
    assert len(asked) == 1


def test_a_refused_login_says_so() -> None:
    refused = pytest.raises(ResolveError, match="answered 401")
    with serving(lambda handler: send(handler, 401, b"")) as url, refused as caught:
        client().read(url, limit=10)
    assert "check login and proxy" in str(caught.value)


def test_a_dead_server_is_reported_with_the_innermost_cause() -> None:
    with pytest.raises(UnreachableError, match=r"Connection refused"):
        client().read("http://127.0.0.1:9/file", limit=10)


@pytest.mark.parametrize("url", ["debian/dists/sid", "ftpx://a/b", "http://", "http://[::1/x"])
def test_what_is_no_address_is_not_tried_again(url: str) -> None:
    with pytest.raises(ResolveError, match="is no usable address") as caught:
        Http(pause=60.0).read(url, limit=10)
    assert "begins with http:// or https://" in caught.value.fix


def test_more_than_the_limit_is_refused() -> None:
    refused = pytest.raises(ResolveError, match="has more than 100 bytes")
    with serving(lambda handler: send(handler, 200, DATA)) as url, refused:
        client().read(url, limit=100)


def test_the_login_of_the_route_is_sent() -> None:
    seen: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization"))
        send(handler, 200, b"ok")

    with serving(answer) as url:
        client(("alice", "pw")).read(url, limit=10)
    assert seen == ["Basic YWxpY2U6cHc="]


def test_messages_hold_no_password() -> None:
    assert without_login("http://user:secret@host:8/a?b") == "http://host:8/a?b"
    with pytest.raises(UnreachableError) as caught:
        client().read("http://user:secret@127.0.0.1:9/file", limit=10)
    assert "secret" not in str(caught.value)


def test_certificates_come_from_the_environment_first(tmp_path: object) -> None:
    assert certificates({"SSL_CERT_FILE": "/a", "REQUESTS_CA_BUNDLE": "/b"}) == "/b"
    assert certificates({"SSL_CERT_FILE": "/a"}) == "/a"
    assert certificates({"SSL_CERT_DIR": f"/nowhere:{tmp_path}"}) == str(tmp_path)


def test_a_proxy_comes_from_the_environment_unless_the_route_says_direct(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        send(handler, 200, b"through the proxy")

    with serving(answer) as proxy:
        monkeypatch.setenv("http_proxy", proxy.removesuffix("/file"))
        url = "http://archive.invalid/file"
        assert Http(attempts=1).read(url, limit=100) == b"through the proxy"
        assert asked == [url]
        with pytest.raises(UnreachableError):
            Http(route=lambda _url: Route(proxy="DIRECT"), attempts=1).read(url, limit=100)


def test_secrets_are_not_sent_where_a_redirect_leads() -> None:
    seen: list[dict[str, str]] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append({name.lower(): value for name, value in handler.headers.items()})
        send(handler, 200, b"stored elsewhere")

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        seen.append({name.lower(): value for name, value in handler.headers.items()})
        handler.send_response(302)
        handler.send_header("Location", elsewhere.replace("127.0.0.1", "localhost"))
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    secrets = {"PRIVATE-TOKEN": "secret", "Range": "bytes=0-"}
    with serving(answer) as elsewhere, serving(redirect) as url:
        chunks = client().chunks(url, authorization="Bearer secret", headers=secrets)
        assert b"".join(chunks) == b"stored elsewhere"
    assert (seen[0]["private-token"], seen[0]["authorization"]) == ("secret", "Bearer secret")
    assert "secret" not in str(seen[1])
    assert seen[1]["range"] == "bytes=0-"


def test_attempts_wait_as_long_as_asked_and_a_little_by_chance() -> None:
    assert pause_before(0, 0.5, 7.0) == 0.0
    assert all(7.0 <= pause_before(1, 0.5, 7.0) <= 8.75 for _ in range(50))
    assert all(2.0 <= pause_before(3, 0.5, 0.0) <= 2.5 for _ in range(50))
    assert len({pause_before(2, 0.5, 0.0) for _ in range(50)}) > 40


def test_a_server_that_asks_for_a_long_wait_is_not_waited_for() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(503)
        handler.send_header("Retry-After", "3600")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with serving(answer) as url, pytest.raises(UnreachableError, match="asks to wait 3600 seconds"):
        client().read(url, limit=10)
