"""What the first bytes of a file tell about it."""

from __future__ import annotations

from typing import NamedTuple

from builder.extraction.tree import Nature

HEAD = 256
"""How many bytes of a file are looked at."""


class Look(NamedTuple):
    """What a file is, and for ELF its (class, e_machine) (elf(5))."""

    nature: Nature = Nature.OTHER
    machine: tuple[int, int] | None = None


OTHER = Look()


def classify(head: bytes) -> Look:
    """What a file is that begins with `head`, `HEAD` bytes or all of it.

    Whoever remembers the answer must forget it when a change here gives another one.
    """
    if head[:4] == b"\x7fELF" and len(head) >= 20:
        order = "big" if head[5] == 2 else "little"
        return Look(Nature.ELF, (head[4], int.from_bytes(head[18:20], "big" if order == "big" else "little")))
    if head[:2] == b"#!":
        line = head.split(b"\n", 1)[0]
        return Look(Nature.CRLF_SCRIPT if line.endswith(b"\r") else Nature.SCRIPT)
    if head[:11] == b"-----BEGIN " and b"PRIVATE KEY-----" in head[:64]:
        return Look(Nature.PRIVATE_KEY)
    return OTHER
