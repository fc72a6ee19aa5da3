"""The one writer of configuration files."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.wsl.config import parse_config
from builder.wsl.emit import SettingError, doubt_settings, emit_config
from builder.wsl.keys import INT_MAX, ConfigFile, Key, KeyType, keys_of

W, D = ConfigFile.WSL_CONF, ConfigFile.DISTRIBUTION_CONF
TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.sampled_from("\b\n\t"), max_size=30)
NAMES = st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True).filter(lambda name: name.lower() != "legacy")


def values(key: Key):
    """What may be written for `key`."""
    return {
        KeyType.BOOL: st.booleans(),
        KeyType.INT: st.integers(key.minimum, min(key.maximum, INT_MAX)),
        KeyType.ENUM: st.sampled_from(key.choices or ("",)),
        KeyType.NAME: NAMES,
        KeyType.PATH: TEXT.filter(lambda text: ".." not in text),
        KeyType.STRING: TEXT,
    }[key.type]


def settings(file: ConfigFile):
    rows = st.fixed_dictionaries({}, optional={key.name: values(key) for key in keys_of(file)})
    return rows.flatmap(lambda chosen: st.permutations(list(chosen.items())).map(dict))


@pytest.mark.parametrize("file", ConfigFile)
@given(data=st.data())
def test_wsl_reads_back_what_was_written(file, data):
    chosen = data.draw(settings(file))
    written = emit_config(chosen, file)
    parsed = parse_config(written, file)
    assert not parsed.warnings
    assert parsed.effective == {key.name: key.default for key in keys_of(file)} | chosen
    assert written.isascii() and b"\r" not in written


@pytest.mark.parametrize("file", ConfigFile)
@given(data=st.data())
def test_configparser_reads_the_same_wherever_nothing_is_doubted(file, data):
    chosen = {
        name: value
        for name, value in data.draw(settings(file)).items()
        if not doubt_settings({name: value}, file)
    }
    reader = configparser.ConfigParser()
    reader.read_string(emit_config(chosen, file).decode())
    for name, value in chosen.items():
        if isinstance(value, str):
            assert reader.get(*name.split(".")) == value


def test_sections_and_keys_come_once_in_the_order_given():
    chosen = {
        "user.default": "me",
        "boot.systemd": True,
        "automount.root": "/",
        "boot.command": "/etc/start",
    }
    assert emit_config(chosen, W) == (
        b"[user]\ndefault = me\n\n[boot]\nsystemd = true\ncommand = /etc/start\n\n[automount]\nroot = /\n"
    )


def test_quotes_are_written_only_where_wsl_needs_them():
    chosen = {"oobe.command": '/bin/sh -c "a # b" \\x', "shortcut.icon": "/usr/lib/wsl/my icon.ico"}
    assert emit_config(chosen, D) == (
        b'[oobe]\ncommand = "/bin/sh -c \\"a # b\\" \\\\x"\n\n[shortcut]\nicon = /usr/lib/wsl/my icon.ico\n'
    )
    assert doubt_settings(chosen, D) == (
        "oobe.command: needs quotes for WSL, which Microsoft's validator takes for the value",
    )


def test_a_umask_is_written_in_octal_and_a_false_systemd_not_at_all():
    assert (
        emit_config({"boot.systemd": False, "filesystem.umask": 0o027}, W) == b"[filesystem]\numask = 0027\n"
    )
    assert emit_config({"boot.systemd": False}, W) == b""
    assert emit_config({"user.default": None}, W) == b""


def test_keys_are_written_in_the_spelling_of_wsl():
    assert emit_config({"AUTOMOUNT.mountfstab": False}, W) == b"[automount]\nmountFsTab = false\n"


@pytest.mark.parametrize(
    ("chosen", "file", "message"),
    [
        ({"general.hostname": "x"}, W, "general.hostname: is not a key of wsl.conf"),
        ({"oobe.command": "x"}, W, "oobe.command: is not a key of wsl.conf"),
        ({"user.default": "a", "User.Default": "b"}, W, "User.Default: is given twice"),
        ({"boot.systemd": "yes"}, W, "boot.systemd: expected true or false, found 'yes'"),
        ({"boot.systemd": 1}, W, "boot.systemd: expected true or false, found 1"),
        ({"oobe.defaultUid": True}, D, "oobe.defaultUid: expected a whole number, found True"),
        ({"oobe.defaultUid": 2**31}, D, "oobe.defaultUid: expected 0 to 2147483647, found 2147483648"),
        ({"filesystem.umask": 0o1000}, W, "filesystem.umask: expected 0000 to 0777, found 512"),
        ({"automount.cgroups": "v3"}, W, "automount.cgroups: expected one of v1, v2, found 'v3'"),
        ({"user.default": 7}, W, "user.default: expected text, found 7"),
        ({"boot.command": "caf\u00e9"}, W, "boot.command: contains '\u00e9', which cannot be expressed"),
        ({"boot.command": "a\rb"}, W, "boot.command: contains '\\r', which cannot be expressed"),
        ({"boot.command": "a\0b"}, W, "boot.command: contains '\\x00', which cannot be expressed"),
        ({"oobe.defaultName": "My Linux"}, D, "oobe.defaultName: contains ' ', WSL takes only"),
        (
            {"shortcut.icon": "/usr/../x.ico"},
            D,
            "'/usr/../x.ico' contains '..', for which WSL ignores the path",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_reason(chosen, file, message):
    with pytest.raises(SettingError) as caught:
        emit_config(chosen, file)
    assert message in str(caught.value)


def test_all_refusals_come_at_once():
    with pytest.raises(SettingError) as caught:
        emit_config({"nope.x": 1, "boot.systemd": "on"}, W)
    assert len(caught.value.message.splitlines()) == 2


def test_the_validator_is_doubted_where_it_knows_less():
    doubts = doubt_settings({"boot.initTimeout": 5, "boot.command": "date +%F"}, W)
    assert doubts == (
        "boot.initTimeout: Microsoft's validator does not know this key and reports an error",
        "boot.command: '%' makes Microsoft's validator fail",
    )
