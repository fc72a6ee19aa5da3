"""What the header of a member alone tells, before anything is extracted."""

from __future__ import annotations

from collections.abc import Iterator

from builder.extraction.shapes import Shape
from builder.tar.member import Member

_SOLARIS_ACL = b"A"
_KNOWN_FLAGS = frozenset(b"\x0001234567SDMNxgXLKV")
_TEXTS = (b"path", b"linkpath", b"uname", b"gname")


def judge_header(member: Member) -> Iterator[tuple[Shape, str]]:
    """The shapes of `member`, each with its detail."""
    if member.flag == _SOLARIS_ACL:
        yield Shape.SOLARIS_ACL, ""
    elif member.flag[0] not in _KNOWN_FLAGS:
        yield Shape.UNKNOWN_FLAG, f"type {member.flag!r}"
    if member.pax and member.pax.get(b"hdrcharset") != b"BINARY":
        yield from _judge_texts(member.pax)
    if (member.uname or member.gname) and not _is_plain(member):
        yield Shape.NAMED_OWNER, ""
    if member.name.rpartition(b"/")[2].startswith(b".wh."):
        yield Shape.WHITEOUT, ""


def _judge_texts(pax: dict[bytes, bytes]) -> Iterator[tuple[Shape, str]]:
    for key in _TEXTS:
        value = pax.get(key, b"")
        if not value.isascii():
            yield (Shape.NOT_ASCII if _is_utf8(value) else Shape.NOT_UTF8), f"record {key.decode()}"


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_plain(member: Member) -> bool:
    """Whether only root is named, and by its own ids."""
    owners = ((member.uname, member.uid), (member.gname, member.gid))
    return all(name == b"" or (name, number) == (b"root", 0) for name, number in owners)
