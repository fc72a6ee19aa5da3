"""Text files as lists of lines; bytes that are not UTF-8 survive as surrogate escapes."""

from __future__ import annotations


def split_lines(data: bytes | None) -> list[str]:
    """The lines of `data`, without their newlines; none where there is no file."""
    text = (data or b"").decode("utf-8", "surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


def join_lines(lines: list[str]) -> bytes:
    """The file of `lines`, each with its newline."""
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
