"""What a member gets beside its content: attributes, access control lists, times."""

from __future__ import annotations

import errno
import os

from builder.extraction.acl import ACCESS, DEFAULT, complete_acl, encode_acl, parse_acl
from builder.extraction.attributes import is_ignored
from builder.extraction.names import show
from builder.tar.member import Member


def set_xattrs(file: int | bytes, member: Member) -> None:
    """All that can be set; raises OSError for the last that cannot, whose reason is never a full disk."""
    failed = None
    for name, value in member.xattrs:
        if is_ignored(name):
            continue
        try:
            _set_xattr(file, name, value)
        except OSError as error:
            failed = f"the attribute {show(name)} cannot be set: {error.strerror}"
    if failed:
        raise OSError(errno.EOPNOTSUPP, failed)


def _set_xattr(file: int | bytes, name: bytes, value: bytes) -> None:
    if isinstance(file, int):
        os.setxattr(file, name, value)
    else:
        os.setxattr(file, name, value, follow_symlinks=False)


def set_acls(file: int | bytes, member: Member, mode: int) -> None:
    """The access control lists of `member`, which has `mode`. Raises OSError."""
    access = complete_acl(mode, parse_acl(member.pax.get(ACCESS, b"")))
    default = parse_acl(member.pax.get(DEFAULT, b""))
    for name, entries in (("access", access), ("default", default)):
        if entries:
            os.setxattr(file, f"system.posix_acl_{name}", encode_acl(entries))


def read_times(member: Member) -> tuple[int, int]:
    """Its time for os.utime, in nanoseconds; libarchive sets that of access to the same."""
    return member.mtime * 10**9, member.mtime * 10**9
