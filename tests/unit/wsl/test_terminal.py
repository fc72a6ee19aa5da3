"""The Windows Terminal profile that WSL makes of a template."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.wsl.limits import PROFILE_TEMPLATE
from builder.wsl.os_release import Flavor
from builder.wsl.terminal import Registration, check_template, fragment, generated_profile_guid, profile_guid

GUID = UUID("0a1b2c3d-0000-4000-8000-00000000000f")
UBUNTU = Registration(name="Ubuntu", guid=GUID)


def test_the_hidden_profile_is_the_one_that_windows_terminal_generates():
    assert str(generated_profile_guid("Ubuntu")) == "2c4de342-38b7-51cf-b940-2309a097f518"
    assert str(generated_profile_guid("Debian")) == "58ad8b0c-3ef8-5f4d-bc6f-13e4c00f2530"


def test_the_default_template_gives_a_hidden_and_a_visible_profile():
    hidden, visible = json.loads(fragment(None, UBUNTU))["profiles"]
    assert hidden == {"updates": "{2c4de342-38b7-51cf-b940-2309a097f518}", "hidden": True}
    assert visible == {
        "commandline": rf"C:\Windows\System32\wsl.exe --distribution-id {{{GUID}}}",
        "guid": f"{{{profile_guid(GUID)}}}",
        "icon": r"C:\Windows\System32\wsl.exe",
        "name": "Ubuntu",
        "pathTranslationStyle": "wsl",
        "startingDirectory": "~",
    }


def test_what_wsl_sets_replaces_the_template_and_the_rest_passes():
    template = {
        "profiles": [{"name": "mine", "colorScheme": "Corp", "startingDirectory": "/srv"}],
        "schemes": [{"name": "Corp"}],
    }
    made = Registration(
        name="Corp", guid=GUID, flavor=Flavor(flavor="debian", version="12"), icon=r"C:\x\shortcut.ico"
    )
    content = json.loads(fragment(json.dumps(template).encode(), made))
    profile = content["profiles"][1]
    assert content["schemes"] == template["schemes"]
    assert (profile["name"], profile["colorScheme"], profile["startingDirectory"]) == ("Corp", "Corp", "/srv")
    assert (profile["wsl.distribution-type"], profile["wsl.distribution-version"]) == ("debian", "12")
    assert profile["icon"] == r"C:\x\shortcut.ico"


def test_a_template_that_hides_the_generated_profile_itself_gets_no_second_one():
    own = {"updates": "{2c4de342-38b7-51cf-b940-2309a097f518}", "hidden": True}
    profiles = json.loads(fragment(json.dumps({"profiles": [{}, own]}).encode(), UBUNTU))["profiles"]
    assert len(profiles) == 2
    assert profiles[1] == own


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (b"", "is not valid JSON in UTF-8"),
        (b'{"profiles":[],}', "is not valid JSON in UTF-8"),
        (b'{"profiles":[] /* none */}', "is not valid JSON in UTF-8"),
        ('{"profiles":[{"x":"\xe9"}]}'.encode("latin-1"), "is not valid JSON in UTF-8"),
        (b"[]", 'expected an object with an array "profiles"'),
        (b'{"profiles":{"list":[]}}', 'expected an object with an array "profiles"'),
        (b'{"profiles":[{},7]}', "profiles[1] is not an object"),
        (b'{"profiles":[]}' + b" " * PROFILE_TEMPLATE, "WSL ignores a template of more than 1048576"),
    ],
)
def test_a_template_that_wsl_cannot_use_leaves_no_profile(template, message):
    (error,) = check_template(template).errors
    assert message in error
    with pytest.raises(ValueError) as caught:
        fragment(template, UBUNTU)
    assert str(caught.value) == error


def test_a_byte_order_mark_does_no_harm():
    assert check_template(b'\xef\xbb\xbf{"profiles":[{}]}') == check_template(b'{"profiles":[{}]}')
    assert check_template(b'{"profiles":[{}]}').warnings == ()


@pytest.mark.parametrize(
    ("profiles", "warning"),
    [
        ([], "has 0 profiles"),
        ([{}, {}], "has 2 profiles: WSL gives all of them one name and GUID"),
        ([{"icon": "x.ico"}], "profiles[0].icon: WSL overwrites it"),
        ([{"source": "x"}], "profiles[0].source: has no place in the template"),
        ([{"colorScheme": "Nope"}], "profiles[0].colorScheme: 'Nope' is neither in the template"),
    ],
)
def test_what_has_no_effect_is_warned_of(profiles, warning):
    report = check_template(json.dumps({"profiles": profiles, "schemes": [{"name": []}, 5]}).encode())
    assert report.errors == ()
    assert any(warning in text for text in report.warnings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["name", "guid", "updates", "colorScheme"]), JSON), max_size=3)
)
def test_every_visible_profile_starts_the_distribution(profiles):
    template = json.dumps({"profiles": profiles}).encode()
    made = json.loads(fragment(template, UBUNTU))["profiles"]
    assert len(made) == len(profiles) + 1
    assert all(profile["name"] == "Ubuntu" for profile in made[1:])
    assert check_template(template).errors == ()


@given(st.binary(max_size=80))
def test_no_bytes_make_the_check_fail(template):
    assert check_template(template).errors or fragment(template, UBUNTU)
