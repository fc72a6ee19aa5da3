"""JSON as nlohmann::json, which WSL uses, accepts it: stricter than Python's module in a few places."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_DEPTH = 100
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def parse_json(text: str) -> Any:
    """The value of `text`. Raises ValueError where nlohmann::json raises a parse or range error.

    Refused beyond Python's rules are NaN and Infinity, numbers too large for a double, and text with lone
    surrogates; and, beyond WSL's, nesting of more than 100 levels. Of a repeated name the last value counts,
    at the first one's place.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_read_float, parse_int=_read_int
        )
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    _inspect(value, _DEPTH)
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _read_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:40]} is out of range")
    return number


def _read_int(digits: str) -> int | float:
    """Like nlohmann::json an integer of 64 bits, beyond that a double."""
    return int(digits) if len(digits) < 20 else _read_float(digits)


def _inspect(value: object, depth: int) -> None:
    if depth < 0:
        raise ValueError("is nested too deeply")
    if isinstance(value, str) and _SURROGATE.search(value):
        raise ValueError("contains half of a surrogate pair")
    if isinstance(value, dict):
        for name, item in value.items():
            _inspect(name, depth)
            _inspect(item, depth - 1)
    if isinstance(value, list):
        for item in value:
            _inspect(item, depth - 1)
