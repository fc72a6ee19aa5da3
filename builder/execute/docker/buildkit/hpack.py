"""Headers of HTTP/2 requests: decoded in full, encoded without compression (RFC 7541).

gRPC's headers are printable ASCII (grpc/grpc doc/PROTOCOL-HTTP2.md), so Huffman codes of other characters
are not known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

# RFC 7541, appendix A: NAME or NAME=VALUE, where + stands for a blank.
_STATIC_TEXT = """
:authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200
:status=204 :status=206 :status=304 :status=400 :status=404 :status=500 accept-charset
accept-encoding=gzip,+deflate accept-language accept-ranges accept access-control-allow-origin age
allow authorization cache-control content-disposition content-encoding content-language
content-length content-location content-range content-type cookie date etag expect expires from host
if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location
max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server
set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate
"""
_STATIC = tuple(
    (name, value.replace(b"+", b" "))
    for name, _, value in (word.partition(b"=") for word in _STATIC_TEXT.encode().split())
)
# RFC 7541, appendix B: how many bits the codes of the characters from U+0020 to U+007E have. The code is
# canonical, and of the others only U+0000 comes before one of these.
_LENGTHS = bytes.fromhex(
    "06 0a 0a 0c 0d 06 08 0b 0a 0a 08 0b 08 06 06 06 05 05 05 06 06 06 06 06 06 06 07 08 0f 06 0c 0a "
    "0d 06 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 08 07 08 0d 13 0d 0e 06 "
    "0f 05 06 05 06 05 06 06 06 05 07 07 06 06 06 05 06 07 06 05 05 06 07 07 07 07 07 0f 0b 0e 0d "
)
_ENTRY_OVERHEAD = 32  # bytes that an entry of the dynamic table counts beyond its text


class HeaderError(Exception):
    """Headers that cannot be decoded: the connection is of no use any more."""


def _assign_codes() -> dict[tuple[int, int], int]:
    """(bits, code) -> character of a canonical Huffman code: by length, then by character."""
    lengths = sorted([(13, 0), *((length, 32 + index) for index, length in enumerate(_LENGTHS))])
    codes, code, before = {}, 0, lengths[0][0]
    for length, character in lengths:
        code <<= length - before
        codes[length, code] = character
        code, before = code + 1, length
    return codes


_CODES = _assign_codes()


class Decoder:
    """Decodes the headers of one connection, whose encoder refers to what it sent before."""

    def __init__(self) -> None:
        self._recent: deque[tuple[bytes, bytes]] = deque()
        self._limit = 4096

    def decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """The names and values in `block`. Raises HeaderError."""
        headers, at = [], 0
        try:
            while at < len(block):
                first = block[at]
                if first & 0x80:
                    index, at = _read_integer(block, at, 7)
                    headers.append(self._entry(index))
                elif first & 0xE0 == 0x20:
                    self._limit, at = _read_integer(block, at, 5)
                    self._evict()
                else:
                    header, at = self._read_literal(block, at)
                    headers.append(header)
        except IndexError:
            raise HeaderError("headers are cut off, or name an entry that is not there") from None
        return headers

    def _read_literal(self, block: bytes, at: int) -> tuple[tuple[bytes, bytes], int]:
        kept = block[at] & 0x40
        index, at = _read_integer(block, at, 6 if kept else 4)
        name, at = (self._entry(index)[0], at) if index else _read_string(block, at)
        value, at = _read_string(block, at)
        if kept:
            self._recent.appendleft((name, value))
            self._evict()
        return (name, value), at

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        if index == 0:
            raise HeaderError("headers name entry 0, which is none")
        return _STATIC[index - 1] if index <= len(_STATIC) else self._recent[index - len(_STATIC) - 1]

    def _evict(self) -> None:
        while sum(len(name) + len(value) + _ENTRY_OVERHEAD for name, value in self._recent) > self._limit:
            self._recent.pop()


def encode_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """`headers` as they are, each shorter than 127 bytes."""
    out = bytearray()
    for header in headers:
        out.append(0)  # a literal, not indexed, with a new name
        for text in header:
            out += bytes([len(text)]) + text.encode("ascii")
    return bytes(out)


def _read_integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """The number in the low `bits` of the byte at `at` and what follows, and where it ends."""
    most = (1 << bits) - 1
    value, at, shift = block[at] & most, at + 1, 0
    if value < most:
        return value, at
    while shift <= 28:
        byte = block[at]
        value, at, shift = value + ((byte & 0x7F) << shift), at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise HeaderError("headers hold a number that is too large")


def _read_string(block: bytes, at: int) -> tuple[bytes, int]:
    packed = block[at] & 0x80
    size, at = _read_integer(block, at, 7)
    text = block[at : at + size]
    if len(text) < size:
        raise HeaderError("headers are cut off")
    return (_unpack(text) if packed else text), at + size


def _unpack(data: bytes) -> bytes:
    """Text in Huffman's code; fewer than eight bits of padding are left over."""
    out, code, length = bytearray(), 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            if (character := _CODES.get((length, code))) is not None:
                out.append(character)
                code = length = 0
    if length > 7:
        raise HeaderError("headers hold a character that is not printable")
    return bytes(out)
