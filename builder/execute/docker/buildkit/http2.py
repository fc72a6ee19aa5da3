"""A server of gRPC calls, one connection of HTTP/2 without TLS.

A call is answered with one message or with many, which are made while the peer takes them.

Sources: RFC 9113 (frames, flow control); grpc/grpc doc/PROTOCOL-HTTP2.md (calls).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from builder.execute.docker.buildkit.hpack import Decoder, encode_headers

Method = Callable[[bytes], bytes]
"""Answers a message with a message. Raises CallError."""
Source = Callable[[], Iterator[bytes]]
"""Answers whatever it is asked with messages. Raises CallError, OSError."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_INITIAL_WINDOW_SIZE = 4
_FRAME = 16384  # the largest frame that any peer takes
_WINDOW = 65535
_LARGEST_REQUEST = 1 << 20
_HEAD = (":status", "200"), ("content-type", "application/grpc")
NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL = 5, 9, 12, 13


class ProtocolError(Exception):
    """The peer does not speak HTTP/2 as it should: the connection is of no use any more."""


class CallError(Exception):
    """A call that is answered with a status of gRPC instead of a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True, slots=True)
class _Stream:
    """One call: what came of it, the messages of its `answer` once that has begun, and the `rest` of the one
    that is being sent. `window` is how much the peer takes."""

    window: int
    path: str = ""
    headers: bytearray = field(default_factory=bytearray)
    request: bytearray = field(default_factory=bytearray)
    done: bool = False
    answer: Iterator[bytes] | None = None
    rest: bytes = b""


class Server:
    """Serves `methods` and `sources`, by their paths, to the peer that `read(count)` and `write` reach.

    `read` returns less than `count` bytes where the connection ends.
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
        self._decoder = Decoder()
        self._streams: dict[int, _Stream] = {}
        self._window = _WINDOW
        self._stream_window = _WINDOW

    def serve(self) -> None:
        """Answer calls until the peer hangs up. Raises ProtocolError, HeaderError, OSError."""
        if self._read(len(_PREFACE)) != _PREFACE:
            return
        self._send(_SETTINGS, 0, 0, b"")
        self._send(_WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 30) - 1))  # of requests, which are short
        while len(head := self._read(9)) == 9:
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            if size > _FRAME:
                raise ProtocolError(f"a frame has {size} bytes")
            payload = self._read(size)
            if len(payload) < size:
                return
            self._take(kind, flags, int.from_bytes(head[5:], "big") & 0x7FFF_FFFF, payload)

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        """Act on one frame; those of kinds that are not known have no meaning (RFC 9113, 4.1)."""
        if kind == _SETTINGS and not flags & _ACK:
            self._adapt(payload)
            self._send(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self._send(_PING, _ACK, 0, payload)
        elif kind == _WINDOW_UPDATE:
            self._widen(number, int.from_bytes(payload, "big") & 0x7FFF_FFFF)
        elif kind == _RESET:
            self._streams.pop(number, None)
        elif kind in (_HEADERS, _CONTINUATION):
            self._take_headers(kind, flags, number, payload)
        elif kind == _DATA:
            self._take_data(flags, number, payload)

    def _adapt(self, settings: bytes) -> None:
        """Take over what the peer says of itself: a new first window counts for open streams, too."""
        for name, value in struct.iter_unpack(">HI", settings):
            if name == _INITIAL_WINDOW_SIZE:
                for stream in self._streams.values():
                    stream.window += value - self._stream_window
                self._stream_window = value
        self._flush()

    def _widen(self, number: int, more: int) -> None:
        if number == 0:
            self._window += more
        elif number in self._streams:
            self._streams[number].window += more
        self._flush()

    def _take_headers(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        stream = self._streams.setdefault(number, _Stream(window=self._stream_window))
        if kind == _HEADERS:
            stream.done = bool(flags & _END_STREAM)
            payload = _unpad(flags, payload)
            payload = payload[5:] if flags & _PRIORITY else payload
        stream.headers += payload
        if flags & _END_HEADERS:
            headers = dict(self._decoder.decode(bytes(stream.headers)))
            stream.headers.clear()
            stream.path = stream.path or headers.get(b":path", b"").decode("ascii", "replace")
            self._answer(number, stream)

    def _take_data(self, flags: int, number: int, payload: bytes) -> None:
        if (stream := self._streams.get(number)) is None:
            return  # one that was reset
        stream.request += _unpad(flags, payload)
        if len(stream.request) > _LARGEST_REQUEST:
            raise ProtocolError("a request is too large")
        stream.done = bool(flags & _END_STREAM)
        self._answer(number, stream)

    def _answer(self, number: int, stream: _Stream) -> None:
        """Begin to answer what is complete; a source asks for nothing, and so is from the beginning."""
        if stream.answer is not None:
            return
        if (source := self._sources.get(stream.path)) is not None:
            stream.answer = source()
        elif stream.done:
            stream.answer = self._call(stream.path, bytes(stream.request))
        else:
            return
        self._send(_HEADERS, _END_HEADERS, number, encode_headers(_HEAD))
        self._flush()

    def _call(self, path: str, request: bytes) -> Iterator[bytes]:
        if (method := self._methods.get(path)) is None:
            raise CallError(UNIMPLEMENTED, f"there is no {path} here")
        yield method(_unwrap(request))

    def _flush(self) -> None:
        """Send of all answers as much as the peer takes."""
        for number, stream in list(self._streams.items()):
            if stream.answer is not None:
                self._send_answer(number, stream, stream.answer)

    def _send_answer(self, number: int, stream: _Stream, answer: Iterator[bytes]) -> None:
        while True:
            try:
                stream.rest = stream.rest or _wrap(next(answer))
            except (StopIteration, CallError, OSError) as end:
                self._send(_HEADERS, _END_HEADERS | _END_STREAM, number, encode_headers(_describe_end(end)))
                del self._streams[number]
                return
            count = min(len(stream.rest), _FRAME, self._window, stream.window)
            if count <= 0:
                return
            self._send(_DATA, 0, number, stream.rest[:count])
            stream.rest = stream.rest[count:]
            stream.window -= count
            self._window -= count

    def _send(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        self._write(
            len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", number) + payload
        )


def _describe_end(end: Exception) -> tuple[tuple[str, str], ...]:
    """The trailers of an answer that ended with `end`."""
    if isinstance(end, StopIteration):
        return (("grpc-status", "0"),)
    status = end.status if isinstance(end, CallError) else INTERNAL
    return ("grpc-status", str(status)), ("grpc-message", str(end).encode("ascii", "replace").decode()[:100])


def _unpad(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload


def _wrap(message: bytes) -> bytes:
    """`message` as gRPC sends it: not compressed, after its length."""
    return b"\0" + struct.pack(">I", len(message)) + message


def _unwrap(body: bytes) -> bytes:
    if len(body) < 5 or body[0] or len(body) - 5 != int.from_bytes(body[1:5], "big"):
        raise CallError(UNIMPLEMENTED, "expected one message that is not compressed")
    return body[5:]
