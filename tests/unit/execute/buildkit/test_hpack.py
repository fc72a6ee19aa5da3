"""Headers decode as RFC 7541 shows, with Huffman codes and entries that were sent before."""

from __future__ import annotations

import pytest

from builder.execute.docker.buildkit.hpack import Decoder, HeaderError, encode_headers

# RFC 7541, C.4: three requests on one connection, in Huffman's code.
FIRST = "828684418cf1e3c2e5f23a6ba0ab90f4ff"
SECOND = "828684be5886a8eb10649cbf"
THIRD = "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"
COMMON = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]


def test_the_requests_of_the_rfc_are_decoded() -> None:
    decoder = Decoder()
    assert decoder.decode(bytes.fromhex(FIRST)) == COMMON
    assert decoder.decode(bytes.fromhex(SECOND)) == [*COMMON, (b"cache-control", b"no-cache")]
    assert decoder.decode(bytes.fromhex(THIRD)) == [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ]


def test_a_smaller_table_forgets() -> None:
    decoder = Decoder()
    decoder.decode(bytes.fromhex(FIRST))
    with pytest.raises(HeaderError, match="name an entry that is not there"):
        decoder.decode(bytes.fromhex("20be"))  # a table of no size, then its first entry


def test_what_is_encoded_is_decoded() -> None:
    headers = [(":status", "200"), ("grpc-message", "there is no ~ here: 100%")]
    decoded = Decoder().decode(encode_headers(headers))
    assert [(name.decode(), value.decode()) for name, value in decoded] == headers


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("80", "entry 0"),
        ("be", "not there"),
        ("418cf1e3", "cut off"),
        ("00", "cut off"),
        ("ffffffffffffffff", "too large"),
        ("000181fe00", "cut off"),
        ("0001618cffffffffffffffffffffffff", "not printable"),
    ],
)
def test_what_is_no_header_is_refused(block: str, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        Decoder().decode(bytes.fromhex(block))
