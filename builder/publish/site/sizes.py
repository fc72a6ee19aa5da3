"""Sizes for people."""

from __future__ import annotations

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def format_size(size: int) -> str:
    """`size` bytes to three digits: 1.25 GB, 71.4 MB, 512 B."""
    for unit, name in _UNITS:
        if size >= unit:
            whole = len(str(int(size / unit)))
            return f"{size / unit:.{max(0, 3 - whole)}f} {name}"
    return f"{size} B"


def format_growth(size: int) -> str:
    """A difference of `size` bytes, with its sign."""
    sign = "+" if size > 0 else "\N{MINUS SIGN}" if size < 0 else ""
    return sign + format_size(abs(size))
