from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.core.errors import ExecuteError
from builder.steps.editors import EDITORS

NAMES = st.sampled_from(["dev", "ci", "docker"])
NUMBERS = st.integers(1000, 1003).map(str)
ARGUMENTS = {
    "passwd": st.tuples(NAMES, NUMBERS, NUMBERS, st.just(""), st.just("/home/x"), st.just("/bin/sh")),
    "shadow": st.tuples(NAMES, st.just("!"), NUMBERS),
    "group": st.tuples(NAMES, NUMBERS),
    "gshadow": st.tuples(NAMES),
    "group-member": st.tuples(NAMES, st.just("dev")),
    "gshadow-member": st.tuples(NAMES, st.just("dev")),
    "assignment": st.tuples(st.sampled_from(["ID", "IMAGE_ID"]), st.text("a \"$\\`'=", max_size=5)),
    "line": st.tuples(st.text("ab=[] ", min_size=1)),
    "ini": st.tuples(NAMES, st.sampled_from(["key", "other"]), st.text("ab ", min_size=1)),
}
OLD = st.one_of(
    st.none(),
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([b"dev:x:1000:", b"ci:x:1001:dev", b"docker:!::", b"[dev]", b"key=a", b"ID=b", b""])
    ).map(b"\n".join),
)


def test_every_editor_has_its_property_here():
    assert set(ARGUMENTS) == set(EDITORS)


@pytest.mark.parametrize("name", EDITORS)
@given(data=st.data())
def test_editing_twice_is_editing_once(name, data):
    old, arguments = data.draw(OLD), data.draw(ARGUMENTS[name])
    try:
        once = EDITORS[name](old, arguments)
    except ExecuteError:
        return
    assert EDITORS[name](once, arguments) == once
    assert once.endswith(b"\n")


@pytest.mark.parametrize(
    ("editor", "old", "arguments", "message"),
    [
        (
            "passwd",
            b"pi:x:1000:1000::/home/pi:/bin/sh\n",
            ("dev", "1000", "1000", "", "/home/dev", "/bin/sh"),
            "/etc/passwd: the uid 1000 of dev belongs to pi already\n"
            "  fix: choose another uid in the users step",
        ),
        (
            "group",
            b"pi:x:1000:\n",
            ("dev", "1000"),
            "/etc/group: the gid 1000 of dev belongs to pi already\n"
            "  fix: choose another gid in the users step",
        ),
        (
            "group-member",
            None,
            ("docker", "dev"),
            "/etc/group: there is no group docker, of which dev shall be a member\n"
            "  fix: name it under groups of the users step, or install the package that makes it first",
        ),
    ],
)
def test_what_cannot_be_edited_says_why(editor, old, arguments, message):
    with pytest.raises(ExecuteError) as raised:
        EDITORS[editor](old, arguments)
    assert str(raised.value) == message


def test_an_account_that_is_there_is_changed_in_its_place():
    old = b"dev:x:1000:1000::/old:/bin/sh\nlast:x:5:5::/:/bin/sh"
    arguments = ("dev", "1000", "1000", "", "/home/dev", "/bin/bash")
    assert EDITORS["passwd"](old, arguments) == (
        b"dev:x:1000:1000::/home/dev:/bin/bash\nlast:x:5:5::/:/bin/sh\n"
    )


@pytest.mark.parametrize("name", ["group-member", "gshadow-member"])
def test_a_line_with_fields_missing_is_completed(name):
    assert EDITORS[name](b"docker\n", ("docker", "dev")) == b"docker:::dev\n"


def test_a_group_keeps_its_members():
    assert EDITORS["group"](b"docker:x:1:a,b\n", ("docker", "990")) == b"docker:x:990:a,b\n"


def test_an_assignment_replaces_all_earlier_ones_and_is_quoted_where_needed():
    old = b'NAME="a"\nIMAGE_ID=x\nIMAGE_ID=y\n'
    assert EDITORS["assignment"](old, ("IMAGE_ID", 'a "$b"')) == b'NAME="a"\nIMAGE_ID="a \\"\\$b\\""\n'


def test_an_ini_key_stays_in_its_section():
    old = b"[a]\nkey=1\n[b]\nkey=2\n"
    assert EDITORS["ini"](old, ("a", "key", "3")) == b"[a]\nkey=3\n[b]\nkey=2\n"
    assert EDITORS["ini"](old, ("c", "key", "3")) == old + b"[c]\nkey=3\n"
