from __future__ import annotations

import subprocess

import pytest
from pydantic import ValidationError

from builder.model.operation import Edit
from builder.steps.editors import EDITORS
from builder.steps.families import FEDORA
from builder.steps.users import Users

from .context import context

BASE = {
    "/etc/passwd": b"root:x:0:0:root:/root:/bin/bash\n",
    "/etc/group": b"root:x:0:\nsudo:x:27:\nadm:x:4:syslog\n",
    "/etc/shadow": b"root:*:20000:0:99999:7:::\n",
    "/etc/gshadow": b"root:*::\nsudo:*::\nadm:*::syslog\n",
}
TEAM = {
    "groups": {"docker": {"gid": "990"}},
    "accounts": {"dev": {"uid": "1000", "groups": ["docker", "adm"], "sudo": "passwordless"}},
}


def apply(value: object, files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    result = dict(files)
    for put in Users.model_validate(value).operations(context(**changes), None):
        for edit in put.edits:
            assert isinstance(edit, Edit)
            result[edit.path] = EDITORS[edit.editor](result.get(edit.path), edit.arguments)
    return result


def test_the_account_files_hold_what_was_asked_for_and_all_that_was_there():
    files = apply(TEAM, BASE)
    assert files["/etc/passwd"] == BASE["/etc/passwd"] + b"dev:x:1000:1000::/home/dev:/bin/bash\n"
    assert files["/etc/shadow"] == BASE["/etc/shadow"] + b"dev:!:20254:0:99999:7:::\n"
    assert files["/etc/group"] == (
        b"root:x:0:\nsudo:x:27:dev\nadm:x:4:syslog,dev\ndocker:x:990:dev\ndev:x:1000:\n"
    )
    assert files["/etc/gshadow"] == b"root:*::\nsudo:*::dev\nadm:*::syslog,dev\ndocker:!::dev\ndev:!::\n"


def test_doing_it_again_changes_nothing():
    once = apply(TEAM, BASE)
    assert apply(TEAM, once) == once


def test_the_admin_group_is_that_of_the_family():
    files = apply(TEAM, {**BASE, "/etc/group": BASE["/etc/group"] + b"wheel:x:10:\n"}, family=FEDORA)
    assert b"wheel:x:10:dev\n" in files["/etc/group"]
    assert b"sudo:x:27:\n" in files["/etc/group"]


def test_no_command_runs_and_the_home_is_private():
    groups, account = Users.model_validate(TEAM).operations(context(), None)
    assert not groups.entries
    home, sudoers = account.entries
    assert (home.path, home.mode, home.uid, home.gid) == ("/home/dev", 0o700, 1000, 1000)
    assert (sudoers.path, sudoers.mode) == ("/etc/sudoers.d/dev", 0o440)


@pytest.mark.system
def test_sudo_accepts_the_rule(tmp_path, tool):
    tool("visudo")
    _, account = Users.model_validate(TEAM).operations(context(), None)
    rule = tmp_path / "dev"
    rule.write_bytes(account.entries[1].content.data)
    subprocess.run(["visudo", "--check", "--file", rule], check=True, capture_output=True)


def test_two_names_cannot_share_a_number():
    with pytest.raises(ValidationError, match="a and b share the uid 1000"):
        Users.model_validate({"accounts": {"a": {"uid": "1000"}, "b": {"uid": "1000"}}})
