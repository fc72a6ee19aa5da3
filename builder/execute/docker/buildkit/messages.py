"""Protocol buffers as far as BuildKit's short messages need them.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator

from builder.core.errors import ExecuteError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of `message` in their order: number, and a varint or bytes. Raises ExecuteError."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _read_varint(message, at)
        elif wire in _WIDTHS:
            size = _WIDTHS[wire]
        else:
            raise ExecuteError("the engine sends a message that is no protocol buffer")
        if at + size > len(message):
            raise ExecuteError("the engine sends a message that is cut off")
        yield number, message[at : at + size]
        at += size


def read_bytes(message: bytes, number: int) -> bytes:
    """The last field `number` of `message`, which holds bytes; empty if there is none."""
    values = [value for found, value in read_fields(message) if found == number and isinstance(value, bytes)]
    return values[-1] if values else b""


def write_bytes(number: int, value: bytes) -> bytes:
    """The field `number` that holds `value`."""
    return _write_varint(number << 3 | _BYTES) + _write_varint(len(value)) + value


def write_number(number: int, value: int) -> bytes:
    """The field `number` that holds the varint `value`."""
    return _write_varint(number << 3 | _VARINT) + _write_varint(value)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ExecuteError("the engine sends a message that is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _write_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
