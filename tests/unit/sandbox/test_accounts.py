from __future__ import annotations

import pytest

from builder.sandbox.accounts import find_account


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1001:,,:/home/bob:/bin/sh\n7:x:8:8::/:\n+\n"
    )
    (tmp_path / "group").write_text("root:x:0:\nbob:x:1001:\nwheel:x:10:root,bob\naudio:x:29:bob\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("bob", (1000, 1001, (10, 29, 1001), "/home/bob")),
        ("1000", (1000, 1001, (10, 29, 1001), "/home/bob")),
        ("bob:wheel", (1000, 10, (), "/home/bob")),
        ("bob:77", (1000, 77, (), "/home/bob")),
        ("555", (555, 0, (0,), "/")),
        ("7", (8, 8, (8,), "/")),  # a name made of digits goes before the number
        ("", (0, 0, (0, 10), "/root")),
    ],
)
def test_users_are_found_as_docker_finds_them(etc, user, expected):
    account = find_account(user, etc)
    assert (account.uid, account.gid, account.groups, account.home) == expected


def test_an_image_without_accounts_still_has_root(tmp_path):
    account = find_account("root", str(tmp_path))
    assert (account.uid, account.gid, account.home) == (0, 0, "/root")


@pytest.mark.parametrize(
    ("user", "message"),
    [("eve", "no user 'eve' in /etc/passwd"), ("bob:ops", "no group 'ops' in /etc/group")],
)
def test_names_that_are_not_there_are_refused(etc, user, message):
    with pytest.raises(OSError, match=message):
        find_account(user, etc)
