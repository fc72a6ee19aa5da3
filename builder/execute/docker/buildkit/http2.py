"""A server of gRPC calls, one connection of HTTP/2 without TLS; frames and flow control are h2's.

A call is answered with one message or with many, which are made while the peer takes them.

Source: grpc/grpc doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

Method = Callable[[bytes], bytes]
"""Answers a message with a message. Raises CallError."""
Source = Callable[[], Iterator[bytes]]
"""Answers whatever it is asked with messages. Raises CallError, OSError."""

_PIECE = 1 << 16
_LARGEST_REQUEST = 1 << 20
_HEAD = ((":status", "200"), ("content-type", "application/grpc"))
NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL = 5, 9, 12, 13


class CallError(Exception):
    """A call that is answered with a status of gRPC instead of a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True, slots=True)
class _Stream:
    """One call: what came of it, the messages of its `answer` once there is one, whether that has `begun`,
    and the `rest` of the message that is being sent."""

    path: str
    request: bytearray = field(default_factory=bytearray)
    answer: Iterator[bytes] | None = None
    begun: bool = False
    rest: bytes = b""


class Server:
    """Serves `methods` and `sources`, by their paths, to the peer that `read(count)` and `write` reach.

    `read` returns at most `count` bytes, as soon as there are any, and none where the connection ends.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        write: Callable[[bytes], object],
        methods: Mapping[str, Method],
        sources: Mapping[str, Source],
    ) -> None:
        self._read, self._write = read, write
        self._methods, self._sources = methods, sources
        self._connection = H2Connection(H2Configuration(client_side=False))
        self._streams: dict[int, _Stream] = {}

    def serve(self) -> None:
        """Answer calls until the peer hangs up. Raises OSError, and ProtocolError where the peer does not
        speak HTTP/2 as it should."""
        self._connection.initiate_connection()
        self._send()
        while data := self._read(_PIECE):
            for event in self._connection.receive_data(data):
                self._take(event)
            self._answer_all()
            self._send()

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(number), headers=headers):
                path = dict(headers or ()).get(b":path", b"")
                self._streams[number] = self._open(path.decode("ascii", "replace"))
            case DataReceived(stream_id=int(number), flow_controlled_length=int(size)):
                self._connection.acknowledge_received_data(size, number)
                if number in self._streams:
                    self._gather(self._streams[number], event.data or b"")
            case StreamEnded(stream_id=int(number)) if number in self._streams:
                self._end(self._streams[number])
            case StreamReset(stream_id=int(number)):
                self._streams.pop(number, None)

    def _open(self, path: str) -> _Stream:
        """A source asks for nothing, and so answers from the beginning."""
        source = self._sources.get(path)
        return _Stream(path=path, answer=source() if source else None)

    def _gather(self, stream: _Stream, data: bytes) -> None:
        stream.request += data
        if len(stream.request) > _LARGEST_REQUEST:
            raise ProtocolError("a request is too large")

    def _end(self, stream: _Stream) -> None:
        if stream.answer is None:
            stream.answer = self._call(stream.path, bytes(stream.request))

    def _call(self, path: str, request: bytes) -> Iterator[bytes]:
        if (method := self._methods.get(path)) is None:
            raise CallError(UNIMPLEMENTED, f"there is no {path} here")
        yield method(_unwrap(request))

    def _answer_all(self) -> None:
        """Send of all answers as much as the peer takes."""
        for number, stream in list(self._streams.items()):
            if stream.answer is not None:
                self._answer(number, stream, stream.answer)

    def _answer(self, number: int, stream: _Stream, answer: Iterator[bytes]) -> None:
        if not stream.begun:
            self._connection.send_headers(number, _HEAD)
            stream.begun = True
        while True:
            try:
                stream.rest = stream.rest or _wrap(next(answer))
            except (StopIteration, CallError, OSError) as end:
                self._connection.send_headers(number, _describe_end(end), end_stream=True)
                del self._streams[number]
                return
            room = self._connection.local_flow_control_window(number)
            count = min(len(stream.rest), room, self._connection.max_outbound_frame_size)
            if count <= 0:
                return
            self._connection.send_data(number, stream.rest[:count])
            stream.rest = stream.rest[count:]
            self._send()

    def _send(self) -> None:
        if data := self._connection.data_to_send():
            self._write(data)


def _describe_end(end: Exception) -> tuple[tuple[str, str], ...]:
    """The trailers of an answer that ended with `end`."""
    if isinstance(end, StopIteration):
        return (("grpc-status", "0"),)
    status = end.status if isinstance(end, CallError) else INTERNAL
    return ("grpc-status", str(status)), ("grpc-message", str(end).encode("ascii", "replace").decode()[:100])


def _wrap(message: bytes) -> bytes:
    """`message` as gRPC sends it: not compressed, after its length."""
    return b"\0" + struct.pack(">I", len(message)) + message


def _unwrap(body: bytes) -> bytes:
    if len(body) < 5 or body[0] or len(body) - 5 != int.from_bytes(body[1:5], "big"):
        raise CallError(UNIMPLEMENTED, "expected one message that is not compressed")
    return body[5:]
