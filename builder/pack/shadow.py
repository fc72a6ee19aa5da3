"""Password hashes out of shadow(5) and gshadow(5)."""

from __future__ import annotations


def redact_hashes(text: bytes) -> tuple[bytes, int]:
    """`text` with `*` for every hash and `!` for every locked one, and how many there were.

    What is no hash stays: `*`, `!`, `!!`, `!*`, `x` and the empty field, which means no password at all.
    """
    lines = text.split(b"\n")
    redacted = [_redact(line) for line in lines]
    return b"\n".join(redacted), sum(old != new for old, new in zip(lines, redacted, strict=True))


def _redact(line: bytes) -> bytes:
    fields = line.split(b":")
    if len(fields) < 2 or line.startswith(b"#"):
        return line
    password = fields[1]
    if len(password.strip(b"!*")) > 1:
        fields[1] = b"!" if password.startswith(b"!") else b"*"
    return b":".join(fields)
