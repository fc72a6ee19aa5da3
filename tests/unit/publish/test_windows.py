"""Files for Windows, read back by what reads their languages here."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.core.errors import UsageError
from builder.core.resources import resource_folder
from builder.publish.channel import Channel, describe_channel
from builder.publish.quoting import command_line, powershell, registry, xml_attribute
from builder.publish.windows import Mode, list_setting, reg_add, render_windows
from tests.unit.publish.catalogs import BASE, channel, publication

HOSTILE = "https://wsl.example.com/o'clock/$(x)/`y/%PATH%/a&b|c^d/;e"
KEY = "ssh-ed25519 AAAA o'neil@example.com"


def with_base(url: str) -> Channel:
    state = channel(publication("1"))
    return replace(state, settings=state.settings.model_copy(update={"base_url": url}))


def files(url: str = BASE, mode: Mode = Mode.REPLACE, key: str = "") -> dict[str, str]:
    rendered = render_windows(describe_channel(with_base(url)), mode, key)
    for data in rendered.values():
        assert data.isascii() and data.count(b"\n") == data.count(b"\r\n")
    return {name: data.decode().replace("\r\n", "\n") for name, data in rendered.items()}


def read_powershell(expression: str) -> str:
    """What PowerShell makes of an expression of ours (about_Quoting_Rules, about_Operators)."""
    units = b""
    for quoted, unit in re.findall(r"'((?:[^']|'')*)'|\[char\]0x([0-9A-F]{4})", expression):
        units += bytes.fromhex(unit)[::-1] if unit else quoted.replace("''", "'").encode("utf-16-le")
    return units.decode("utf-16-le")


@given(st.text())
def test_powershell_text_is_read_back_and_expands_nothing(text: str):
    expression = powershell(text)
    assert expression.isascii() and "\n" not in expression
    rest = re.sub(r"'(?:[^']|'')*'", "", expression)
    assert re.fullmatch(r"|\((?: \+ )?(?:\[char\]0x[0-9A-F]{4}| \+ )*\)", rest)
    assert read_powershell(expression) == text


@given(st.text())
def test_xml_attributes_are_read_back(text: str):
    try:
        attribute = xml_attribute(text)
    except UsageError:
        assert any(ord(character) < 32 for character in text)
        return
    try:
        assert ElementTree.fromstring(f"<a b={attribute}/>").get("b") == text
    except ElementTree.ParseError:
        assert any(not character.isprintable() for character in text)


def test_registry_strings_escape_and_refuse():
    assert registry('C:\\a "b"') == '"C:\\\\a \\"b\\""'
    for text in ("a\nb", "ü"):
        with pytest.raises(UsageError, match="beyond ASCII"):
            registry(text)


def test_command_lines_keep_percent_signs_only_where_they_are_doubled():
    assert command_line("a%20b", in_file=False) == '"a%20b"'
    assert command_line("a%20b", in_file=True) == '"a%%20b"'
    assert command_line("C:\\x\\", in_file=False) == '"C:\\x\\\\"'
    for text, name in (("a%PATH%b", "%PATH%"), ("%CD%BE", "%CD%"), ("%41%temp%", "%temp%")):
        assert name.strip("%") in command_line(text, in_file=True)
        with pytest.raises(UsageError, match=f"has {name}, which a prompt replaces") as caught:
            command_line(text, in_file=False)
        assert "%25" in caught.value.fix
    assert command_line("%C3%A9/%20b%/c", in_file=False) == '"%C3%A9/%20b%/c"'
    with pytest.raises(UsageError, match="no command line"):
        command_line('a" & calc', in_file=False)


@pytest.mark.parametrize(
    ("mode", "value"), [(Mode.REPLACE, "DistributionListUrl"), (Mode.APPEND, "DistributionListUrlAppend")]
)
def test_every_file_sets_the_same_value(mode: Mode, value: str):
    made = files(HOSTILE, mode)
    url = list_setting(HOSTILE, "stable", mode).url
    assert f'"{value}"="{url}"\n' in made["set.reg"]
    assert f'"{value}"=-\n' in made["delete.reg"]
    assert f'/v {value} /t REG_SZ /d "{url.replace("%", "%%")}" /f /reg:64' in made["set.cmd"]
    for name in ("intune-detect.ps1", "intune-remediate.ps1"):
        assert powershell(url) in made[name] and "'Registry64'" in made[name]
    properties = ElementTree.fromstring(made["group-policy-preferences.xml"]).find("Registry/Properties")
    assert properties is not None
    assert (properties.get("name"), properties.get("value"), properties.get("type")) == (value, url, "REG_SZ")


def test_the_list_that_a_setting_leads_to_is_one_that_is_written():
    from builder.publish.render import render_channel

    written = render_channel(describe_channel(with_base(BASE)), "")
    for mode in Mode:
        assert list_setting(BASE, "stable", mode).url.removeprefix(f"{BASE}/stable/") in written


def test_the_command_for_a_prompt_is_one_line_with_the_address_as_one_argument():
    command = reg_add(list_setting(BASE, "stable", Mode.REPLACE))
    assert shlex.split(command.replace("\\", "/"))[-3] == f"{BASE}/stable/DistributionInfo.json"


def test_an_installer_demands_the_signature_it_was_made_for():
    script = files(HOSTILE, key=KEY)["install-dev.ps1"]
    assert f"$publicKey = {powershell(KEY)}\n" in script
    assert "$publicKey = ''\n" in files()["install-dev.ps1"]


def test_the_item_for_group_policy_preferences_has_what_such_items_have():
    root = ElementTree.fromstring(files(HOSTILE)["group-policy-preferences.xml"])
    shape = [(node.tag, sorted(node.attrib)) for node in root.iter()]
    assert shape == [
        ("RegistrySettings", ["clsid"]),
        ("Registry", ["bypassErrors", "clsid", "image", "name", "status", "uid"]),
        (
            "Properties",
            ["action", "default", "displayDecimal", "hive", "key", "name", "type", "value"],
        ),
    ]
    guid = r"\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}"
    assert all(re.fullmatch(guid, node.get("clsid", "{}")) for node in (root, root[0]))
    assert re.fullmatch(guid, root[0].get("uid", ""))
    properties = root[0][0]
    assert (properties.get("action"), properties.get("hive")) == ("U", "HKEY_LOCAL_MACHINE")
    other = ElementTree.fromstring(files(HOSTILE, Mode.APPEND)["group-policy-preferences.xml"])
    assert other[0].get("uid") != root[0].get("uid")


SCRIPTED = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"enum": ["amd64", "arm64"]},
        "additionalProperties": {
            "type": "object",
            "required": ["version", "name", "url", "sha256", "size"],
            "additionalProperties": False,
            "properties": {
                "version": {"type": "string"},
                "name": {"type": "string", "pattern": "^[a-zA-Z0-9._-]{1,256}$"},
                "url": {"type": "string", "pattern": "^(https?|file)://"},
                "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "size": {"type": "integer"},
            },
        },
    },
}
"""What scripts for PowerShell read of `latest.json`."""


def test_the_catalog_offers_what_the_scripts_read():
    from builder.publish.render import render_channel

    written = render_channel(describe_channel(with_base(BASE)), "")
    jsonschema.validate(json.loads(written["latest.json"]), SCRIPTED)
    assert "latest.json" in written["SHA256SUMS"].decode()
    for script in ("install-dev.ps1", "migrate-dev.ps1"):
        names = set(re.findall(r"\$[iI]mage\.(\w+)", files()[script]))
        assert names <= {"version", "name", "url", "sha256", "size"}


def test_the_migration_carries_its_helper_unchanged():
    script = files(HOSTILE)["migrate-dev.ps1"]
    helper = (resource_folder("templates") / "windows/migrate-home.sh").read_text()
    assert script.count("\n$helper = @'\n") == 1
    assert script.partition("\n$helper = @'\n")[2].partition("\n'@\n")[0] + "\n" == helper
    assert "\r" not in helper and helper.isascii()


def test_the_migration_asks_its_helper_only_for_what_it_knows():
    script = files()["migrate-dev.ps1"]
    head, _, rest = script.partition("\n$helper = @'\n")
    helper, _, tail = rest.partition("\n'@\n")
    asked = set(re.findall(r"(?:Arguments|ToArguments) \(?'(\w+)", head + tail))
    asked |= set(re.findall(r"migrate-home\.sh (\w+)", tail))
    assert asked == set(re.findall(r"^do_(\w+)\(\)", helper, re.MULTILINE))


def test_no_line_of_a_script_can_be_what_a_name_or_an_address_says():
    plain, hostile = files(), files(HOSTILE, key=KEY)
    for name in plain:
        if name.endswith(".ps1"):
            assert plain[name].count("\n") == hostile[name].count("\n")
