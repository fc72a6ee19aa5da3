"""A server of unary gRPC calls over one connection of HTTP/2 without TLS.

Sources: RFC 9113 (frames, flow control); grpc/grpc doc/PROTOCOL-HTTP2.md (calls).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from builder.execute.docker.buildkit.hpack import Decoder, encode_headers

Method = Callable[[bytes], bytes]
"""Answers a message with a message. Raises CallError."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_INITIAL_WINDOW_SIZE = 4
_FRAME = 16384  # the largest frame that any peer takes
_WINDOW = 65535
_LARGEST_REQUEST = 1 << 20
_HEAD = (":status", "200"), ("content-type", "application/grpc")
NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED = 5, 9, 12


class ProtocolError(Exception):
    """The peer does not speak HTTP/2 as it should: the connection is of no use any more."""


class CallError(Exception):
    """A call that is answered with a status of gRPC instead of a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True, slots=True)
class _Stream:
    """One call: what came of it, and what is still to be sent. `window` is how much the peer takes."""

    window: int
    path: str = ""
    headers: bytearray = field(default_factory=bytearray)
    request: bytearray = field(default_factory=bytearray)
    answer: bytes = b""
    trailers: tuple[tuple[str, str], ...] = ()
    done: bool = False


class Server:
    """Serves `methods`, by their paths, to the peer that `read(count)` and `write` reach.

    `read` returns less than `count` bytes where the connection ends.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        write: Callable[[bytes], object],
        methods: Mapping[str, Method],
    ) -> None:
        self._read, self._write, self._methods = read, write, methods
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
            self._answer_when_done(number, stream)

    def _take_data(self, flags: int, number: int, payload: bytes) -> None:
        if (stream := self._streams.get(number)) is None:
            return  # one that was reset
        stream.request += _unpad(flags, payload)
        if len(stream.request) > _LARGEST_REQUEST:
            raise ProtocolError("a request is too large")
        stream.done = bool(flags & _END_STREAM)
        self._answer_when_done(number, stream)

    def _answer_when_done(self, number: int, stream: _Stream) -> None:
        if not stream.done:
            return
        self._send(_HEADERS, _END_HEADERS, number, encode_headers(_HEAD))
        try:
            stream.answer = _wrap(self._call(stream.path, bytes(stream.request)))
            stream.trailers = (("grpc-status", "0"),)
        except CallError as error:
            message = str(error).encode("ascii", "replace").decode()[:100]
            stream.trailers = (("grpc-status", str(error.status)), ("grpc-message", message))
        self._flush()

    def _call(self, path: str, request: bytes) -> bytes:
        if (method := self._methods.get(path)) is None:
            raise CallError(UNIMPLEMENTED, f"there is no {path} here")
        return method(_unwrap(request))

    def _flush(self) -> None:
        """Send of all answers as much as the peer takes."""
        for number, stream in list(self._streams.items()):
            while stream.answer and min(self._window, stream.window) > 0:
                count = min(len(stream.answer), _FRAME, self._window, stream.window)
                self._send(_DATA, 0, number, stream.answer[:count])
                stream.answer = stream.answer[count:]
                stream.window -= count
                self._window -= count
            if stream.trailers and not stream.answer:
                trailers = encode_headers(stream.trailers)
                self._send(_HEADERS, _END_HEADERS | _END_STREAM, number, trailers)
                del self._streams[number]

    def _send(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        self._write(
            len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", number) + payload
        )


def _unpad(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload


def _wrap(message: bytes) -> bytes:
    """`message` as gRPC sends it: not compressed, after its length."""
    return b"\0" + struct.pack(">I", len(message)) + message


def _unwrap(body: bytes) -> bytes:
    if len(body) < 5 or body[0] or len(body) - 5 != int.from_bytes(body[1:5], "big"):
        raise CallError(UNIMPLEMENTED, "expected one message that is not compressed")
    return body[5:]
