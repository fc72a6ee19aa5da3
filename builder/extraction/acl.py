"""POSIX access control lists: the text of pax records and the form that the kernel takes (acl(5)).

Text is read as libarchive's archive_acl_from_text_l does: entries separated by commas or newlines, what is
malformed passed over. The binary form is that of include/uapi/linux/posix_acl_xattr.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from builder.model.entry import Kind

ACCESS, DEFAULT = b"SCHILY.acl.access", b"SCHILY.acl.default"
_VERSION = 2
_UNDEFINED = 0xFFFFFFFF
_LETTERS = {ord("r"): 4, ord("w"): 2, ord("x"): 1, ord("-"): 0}


class Tag(IntEnum):
    """Whom an entry is about (e_tag)."""

    OWNER = 0x01
    USER = 0x02
    OWNING_GROUP = 0x04
    GROUP = 0x08
    MASK = 0x10
    OTHER = 0x20


_TAGS = {
    (b"user", False): Tag.OWNER,
    (b"user", True): Tag.USER,
    (b"group", False): Tag.OWNING_GROUP,
    (b"group", True): Tag.GROUP,
    (b"mask", False): Tag.MASK,
    (b"other", False): Tag.OTHER,
}
_SHIFTS = {Tag.OWNER: 6, Tag.OWNING_GROUP: 3, Tag.OTHER: 0}


class AclEntry(NamedTuple):
    """One entry: `rights` are rwx as 0 to 7, `number` the user or group of named ones, None if unknown."""

    tag: Tag
    rights: int
    number: int | None = None


def parse_acl(text: bytes) -> tuple[AclEntry, ...]:
    """The entries of a pax record such as `user::rw-,user:joe:r--:1000,mask::r--`."""
    return tuple(_entries(text.replace(b"\n", b",")))


def _entries(text: bytes) -> Iterator[AclEntry]:
    for entry in text.split(b","):
        fields = [field.strip() for field in entry.split(b":")]
        if len(fields) < 3 or not set(fields[2]) <= set(_LETTERS):
            continue
        tag = _TAGS.get((fields[0], bool(fields[1])))
        if tag is not None:
            yield AclEntry(tag, sum(_LETTERS[letter] for letter in set(fields[2])), _number(fields))


def _number(fields: list[bytes]) -> int | None:
    """The number beside the name, else the name if it is one: WSL has bsdtar look up no names."""
    for field in (*fields[3:4], fields[1]):
        if field.isdigit():
            return int(field)
    return None


def refuse_acl(acls: dict[bytes, bytes], kind: Kind) -> bool:
    """Whether setting the lists fails: a default list on no directory, named entries without mask or id."""
    if kind in (Kind.DIRECTORY, Kind.SYMLINK):
        return False  # libarchive ignores the error there
    if DEFAULT in acls:
        return True
    entries = parse_acl(acls.get(ACCESS, b""))
    named = [entry for entry in entries if entry.tag in (Tag.USER, Tag.GROUP)]
    masked = any(entry.tag is Tag.MASK for entry in entries)
    return bool(named) and (not masked or any(entry.number is None for entry in named))


def apply_acl(mode: int, entries: tuple[AclEntry, ...]) -> int:
    """`mode` with the rights that the entries of owner, group and others give; they win over a header's."""
    for entry in entries:
        if (shift := _SHIFTS.get(entry.tag)) is not None:
            mode = mode & ~(7 << shift) | entry.rights << shift
    return mode


def complete_acl(mode: int, entries: tuple[AclEntry, ...]) -> tuple[AclEntry, ...]:
    """An access list with the entries that `mode` stands for; () where it says it all."""
    extended = tuple(entry for entry in entries if entry.tag not in _SHIFTS)
    return (
        (*extended, *(AclEntry(tag, mode >> shift & 7) for tag, shift in _SHIFTS.items())) if extended else ()
    )


def encode_acl(entries: tuple[AclEntry, ...]) -> bytes:
    """The value of system.posix_acl_access or system.posix_acl_default; of equal entries the last counts."""
    distinct = {(entry.tag, entry.number or 0): entry for entry in entries}
    return struct.pack("<I", _VERSION) + b"".join(_encode(distinct[key]) for key in sorted(distinct))


def _encode(entry: AclEntry) -> bytes:
    named = entry.tag in (Tag.USER, Tag.GROUP) and entry.number is not None
    return struct.pack("<HHI", entry.tag, entry.rights, entry.number if named else _UNDEFINED)
