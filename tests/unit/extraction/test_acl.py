"""Access control lists as the kernel stores them; setfacl(1) wrote the expected bytes."""

from __future__ import annotations

from builder.extraction.acl import AclEntry, Tag, apply_acl, complete_acl, encode_acl, parse_acl


def test_the_form_is_that_of_the_kernel() -> None:
    entries = parse_acl(b"user::rw-,user:joe:r--:1000\ngroup::r--,mask::rw-,other::---")
    assert encode_acl(complete_acl(0o640, entries)).hex() == (
        "0200000001000600ffffffff02000400e803000004000400ffffffff10000600ffffffff20000000ffffffff"
    )


def test_what_is_no_entry_is_passed_over() -> None:
    assert parse_acl(b"nonsense,user:7,user:7:abc,other::--x") == (AclEntry(Tag.OTHER, 1),)


def test_plain_entries_are_a_mode_and_no_list() -> None:
    entries = parse_acl(b"user::rwx,group::r-x,other::---")
    assert apply_acl(0o4600, entries) == 0o4750
    assert complete_acl(0o750, entries) == ()
