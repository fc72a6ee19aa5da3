"""Calls over a connection, spoken by hand from the other end."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from builder.execute.docker.buildkit.hpack import Decoder, encode_headers
from builder.execute.docker.buildkit.http2 import NOT_FOUND, CallError, ProtocolError, Server

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
LARGE = bytes(range(256)) * 1000


def refuse(_request: bytes) -> bytes:
    raise CallError(NOT_FOUND, "nothing of this name")


METHODS = {"/echo": lambda request: b"<" + request + b">", "/large": lambda _request: LARGE, "/no": refuse}


def break_off() -> Iterator[bytes]:
    yield b"begun"
    raise OSError(5, "the disk is broken")


SOURCES = {"/many": lambda: iter([b"a", LARGE, b"z"]), "/broken": break_off}


@dataclass
class Client:
    """The other end: frames as numbers and bytes."""

    connection: socket.socket

    def send(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream)
        self.connection.sendall(head + payload)

    def call(self, stream: int, path: str, message: bytes) -> None:
        self.send(HEADERS, 0x4, stream, encode_headers([(":path", path)]))
        self.send(DATA, 0x1, stream, b"\0" + struct.pack(">I", len(message)) + message)

    def receive(self) -> tuple[int, int, int, bytes]:
        head = self._read(9)
        return head[3], head[4], int.from_bytes(head[5:], "big"), self._read(int.from_bytes(head[:3], "big"))

    def receive_answer(self, stream: int) -> tuple[bytes, dict[bytes, bytes]]:
        """The message and the trailers of a call."""
        data, decoder = b"", Decoder()
        while True:
            kind, flags, number, payload = self.receive()
            if number != stream:
                continue
            if kind == DATA:
                data += payload
            elif flags & 0x1:
                return data[5:], dict(decoder.decode(payload))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.connection.recv(size - len(data)) or pytest.fail("the server hung up")
        return data


def _serve(server: Server) -> None:
    with suppress(OSError):  # a test may hang up while it is answered
        server.serve()


@pytest.fixture
def client() -> Iterator[Client]:
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as file:
        ours.settimeout(10)
        server = Server(file.read, theirs.sendall, METHODS, SOURCES)
        thread = threading.Thread(target=_serve, args=(server,))
        thread.start()
        ours.sendall(PREFACE)
        client = Client(ours)
        client.send(SETTINGS, 0, 0)
        yield client
        ours.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        assert not thread.is_alive()


def test_a_call_is_answered(client: Client) -> None:
    client.call(1, "/echo", b"hello")
    assert client.receive_answer(1) == (b"<hello>", {b"grpc-status": b"0"})


def test_headers_may_come_in_parts_with_padding_and_priority(client: Client) -> None:
    block = encode_headers([(":path", "/echo"), ("te", "trailers")])
    client.send(HEADERS, 0x8 | 0x20, 3, b"\2" + bytes(5) + block[:7] + b"\0\0")
    client.send(CONTINUATION, 0x4, 3, block[7:])
    client.send(DATA, 0x8, 3, b"\3\0\0\0\0\2h" + b"\0\0\0")
    client.send(DATA, 0x1, 3, b"i")
    assert client.receive_answer(3)[0] == b"<hi>"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [("/no", b"5", b"nothing of this name"), ("/x", b"12", b"there is no /x here")],
)
def test_what_cannot_be_answered_has_a_status(
    client: Client, path: str, status: bytes, message: bytes
) -> None:
    client.call(1, path, b"")
    assert client.receive_answer(1) == (b"", {b"grpc-status": status, b"grpc-message": message})


def test_a_large_answer_waits_for_room(client: Client) -> None:
    client.call(1, "/large", b"")
    received = 0
    while received < 65535:
        kind, _, _, payload = client.receive()
        received += len(payload) if kind == DATA else 0
    assert received == 65535
    client.call(3, "/echo", b"")  # nothing is left for it on the connection, but it is read
    client.send(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1 << 20))
    client.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20))
    rest, trailers = client.receive_answer(1)
    assert received + len(rest) + 5 == len(LARGE) + 5
    assert trailers == {b"grpc-status": b"0"}
    assert client.receive_answer(3)[0] == b"<>"


def test_a_source_answers_before_the_request_ends(client: Client) -> None:
    client.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20))
    client.send(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 20))
    client.send(HEADERS, 0x4, 1, encode_headers([(":path", "/many")]))
    data, trailers = client.receive_answer(1)
    assert data == b"a" + b"\0" + struct.pack(">I", len(LARGE)) + LARGE + b"\0\0\0\0\1z"
    assert trailers == {b"grpc-status": b"0"}


def test_a_source_that_breaks_off_is_no_short_one(client: Client) -> None:
    client.send(HEADERS, 0x4, 1, encode_headers([(":path", "/broken")]))
    data, trailers = client.receive_answer(1)
    assert (data, trailers[b"grpc-status"]) == (b"begun", b"13")
    assert trailers[b"grpc-message"] == b"[Errno 5] the disk is broken"


def test_the_first_window_is_what_the_client_says(client: Client) -> None:
    client.send(SETTINGS, 0, 0, struct.pack(">HI", 4, 10))
    client.call(1, "/echo", b"0123456789")
    sizes = []
    while not sizes:
        kind, _, _, payload = client.receive()
        sizes += [len(payload)] if kind == DATA else []
    assert sizes == [10]
    client.send(SETTINGS, 0, 0, struct.pack(">HI", 4, 1000))
    assert client.receive_answer(1)[1] == {b"grpc-status": b"0"}


def test_pings_are_answered_and_unknown_frames_passed_over(client: Client) -> None:
    client.send(0xFA, 0, 0, b"?")
    client.send(RESET, 0, 9, bytes(4))
    client.send(DATA, 0x1, 9, b"late")
    client.send(PING, 0, 0, b"12345678")
    while (frame := client.receive())[0] != PING:
        pass
    assert frame == (PING, 0x1, 0, b"12345678")


def test_a_frame_that_is_too_large_ends_the_connection() -> None:
    sent = [PREFACE, b"\xff\xff\xff" + bytes(6)]
    with pytest.raises(ProtocolError, match="a frame has 16777215 bytes"):
        Server(lambda _size: sent.pop(0), lambda _data: None, {}, {}).serve()
