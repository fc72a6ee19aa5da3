"""Calls over a connection, made by h2 at the other end."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, TrailersReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from builder.execute.docker.buildkit.http2 import NOT_FOUND, CallError, Server

LARGE = bytes(range(256)) * 1000


def refuse(_request: bytes) -> bytes:
    raise CallError(NOT_FOUND, "nothing of this name")


METHODS = {"/echo": lambda request: b"<" + request + b">", "/large": lambda _request: LARGE, "/no": refuse}


def break_off() -> Iterator[bytes]:
    yield b"begun"
    raise OSError(5, "the disk is broken")


SOURCES = {"/many": lambda: iter([b"a", LARGE, b"z"]), "/broken": break_off}


class Client:
    """The other end. What was received is kept by stream: data, trailers, and whether it has ended."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.h2 = H2Connection()
        self.data: dict[int, bytes] = {}
        self.trailers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, number: int, path: str) -> None:
        names = ((":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", path))
        self.h2.send_headers(number, names)
        self.flush()

    def call(self, number: int, path: str, message: bytes) -> None:
        self.ask(number, path)
        self.h2.send_data(number, b"\0" + struct.pack(">I", len(message)) + message, end_stream=True)
        self.flush()

    def receive(self, *, acknowledge: bool = True) -> None:
        for event in self.h2.receive_data(self.socket.recv(1 << 16) or pytest.fail("the server hung up")):
            if isinstance(event, DataReceived):
                self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
                if acknowledge:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, TrailersReceived):
                self.trailers[event.stream_id] = {
                    name.decode(): value.decode() for name, value in event.headers
                }
            elif isinstance(event, StreamEnded):
                self.ended.add(event.stream_id)
        self.flush()

    def answer(self, number: int) -> tuple[bytes, dict[str, str]]:
        """The message and the trailers of a call."""
        while number not in self.ended:
            self.receive()
        return self.data.get(number, b"")[5:], self.trailers[number]


def _serve(server: Server) -> None:
    with suppress(OSError):  # a test may hang up while it is answered
        server.serve()


@pytest.fixture
def client() -> Iterator[Client]:
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as file:
        ours.settimeout(10)
        server = Server(file.read1, theirs.sendall, METHODS, SOURCES)
        thread = threading.Thread(target=_serve, args=(server,))
        thread.start()
        yield Client(ours)
        ours.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        assert not thread.is_alive()


def test_a_call_is_answered(client: Client) -> None:
    client.call(1, "/echo", b"hello")
    assert client.answer(1) == (b"<hello>", {"grpc-status": "0"})


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [("/no", "5", "nothing of this name"), ("/x", "12", "there is no /x here")],
)
def test_what_cannot_be_answered_has_a_status(client: Client, path: str, status: str, message: str) -> None:
    client.call(1, path, b"")
    assert client.answer(1) == (b"", {"grpc-status": status, "grpc-message": message})


def test_a_large_answer_waits_for_room(client: Client) -> None:
    client.call(1, "/large", b"")
    while len(client.data.get(1, b"")) < 65535:
        client.receive(acknowledge=False)
    assert len(client.data[1]) == 65535
    client.call(3, "/echo", b"")  # nothing is left for it on the connection, but it is read
    client.h2.acknowledge_received_data(65535, 1)
    client.flush()
    assert client.answer(1) == (LARGE, {"grpc-status": "0"})
    assert client.answer(3)[0] == b"<>"


def test_a_source_answers_before_the_request_ends(client: Client) -> None:
    client.ask(1, "/many")
    _, trailers = client.answer(1)
    assert client.data[1] == b"\0\0\0\0\1a" + b"\0" + struct.pack(">I", len(LARGE)) + LARGE + b"\0\0\0\0\1z"
    assert trailers == {"grpc-status": "0"}


def test_a_source_that_breaks_off_is_no_short_one(client: Client) -> None:
    client.ask(1, "/broken")
    assert client.answer(1) == (
        b"begun",
        {"grpc-status": "13", "grpc-message": "[Errno 5] the disk is broken"},
    )


def test_the_first_window_is_what_the_client_says(client: Client) -> None:
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    client.call(1, "/echo", b"0123456789")
    while not client.data:
        client.receive(acknowledge=False)
    assert len(client.data[1]) == 10
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    client.flush()
    assert client.answer(1)[1] == {"grpc-status": "0"}


def test_a_call_that_is_reset_is_not_answered_any_more(client: Client) -> None:
    client.ask(1, "/echo")
    client.h2.reset_stream(1)
    client.call(3, "/echo", b"next")
    assert client.answer(3)[0] == b"<next>"


def test_what_is_no_http2_ends_the_connection() -> None:
    sent = [b"GET / HTTP/1.1\r\n\r\n" * 3]
    with pytest.raises(ProtocolError):
        Server(lambda _size: sent.pop(0), lambda _data: None, {}, {}).serve()
