"""The configuration files as WSL's own parser reads them: every row was compared with it."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.wsl.config import parse_config
from builder.wsl.keys import ConfigFile, Value, keys_of

W, D = ConfigFile.WSL_CONF, ConfigFile.DISTRIBUTION_CONF


class Row(NamedTuple):
    """`@` in a warning stands for the path of the file."""

    file: ConfigFile
    data: bytes
    entries: tuple[tuple[str, bytes], ...]
    set_to: dict[str, Value]
    warnings: tuple[str, ...]
    stopped: bool


ROWS = [
    Row(
        D,
        b"[oobe]\ncommand = /etc/oobe.sh\n",
        (("oobe.command", b"/etc/oobe.sh"),),
        {"oobe.command": "/etc/oobe.sh"},
        (),
        False,
    ),
    Row(
        D,
        b"[oobe]\r\ncommand = /etc/oobe.sh\r\ndefaultUid = 1000\r\n",
        (("oobe.command", b"/etc/oobe.sh"), ("oobe.defaultUid", b"1000")),
        {"oobe.command": "/etc/oobe.sh", "oobe.defaultUid": 1000},
        (),
        False,
    ),
    Row(D, b"; comment\n[oobe]\ncommand=/x\n", (), {}, ("Invalid key name in @:1",), True),
    Row(
        D,
        b"# c\n[oobe] # trailing\ncommand=/x # why\n",
        (("oobe.command", b"/x"),),
        {"oobe.command": "/x"},
        (),
        False,
    ),
    Row(D, b'[oobe]\ncommand="/x#y"\n', (("oobe.command", b"/x#y"),), {"oobe.command": "/x#y"}, (), False),
    Row(
        D, b"[oobe]\ncommand='/x y'\n", (("oobe.command", b"'/x y'"),), {"oobe.command": "'/x y'"}, (), False
    ),
    Row(D, b'[oobe]\ncommand="unterminated\ndefaultUid=1000\n', (), {}, ('Expected " in @:2',), True),
    Row(
        D,
        b"[oobe]\ncommand=/x \\\n  --flag\ndefaultUid=1000\n",
        (("oobe.command", b"/x   --flag"), ("oobe.defaultUid", b"1000")),
        {"oobe.command": "/x   --flag", "oobe.defaultUid": 1000},
        (),
        False,
    ),
    Row(
        D,
        b"[oobe]\ncommand=printf '\\n'\n",
        (("oobe.command", b"printf '\n'"),),
        {"oobe.command": "printf '\n'"},
        (),
        False,
    ),
    Row(
        D,
        b"[oobe]\ncommand=echo \\$HOME\ndefaultUid=1000\n",
        (),
        {},
        ("Invalid escaped character: '$' in @:2",),
        True,
    ),
    Row(D, b"[oobe]\ncommand=a\\", (), {}, ("Invalid escaped character: 'ÿ' in @:2",), True),
    Row(D, b"[oobe]\ncommand\ndefaultUid=1000\n", (), {}, ("Expected '=' in @:2",), True),
    Row(D, b"[oobe]\ncommand==x\n", (("oobe.command", b"=x"),), {"oobe.command": "=x"}, (), False),
    Row(
        D,
        b"[oobe]\n  command   =   a  b  \t\n",
        (("oobe.command", b"a  b"),),
        {"oobe.command": "a  b"},
        (),
        False,
    ),
    Row(
        D,
        b'[oobe]\ncommand="  padded  "  tail  \n',
        (("oobe.command", b"  padded    tail"),),
        {"oobe.command": "  padded    tail"},
        (),
        False,
    ),
    Row(D, b"  [oobe]  \ncommand=/x\n", (("oobe.command", b"/x"),), {"oobe.command": "/x"}, (), False),
    Row(D, b"[oo-be]\ncommand=/x\n", (), {}, ("Expected ']' in @:1",), True),
    Row(D, b"[]\ncommand=/x\n", (), {}, ("Invalid section name in @:1",), True),
    Row(D, b"oobe.command=/x\n", (), {}, ("Expected '=' in @:1",), True),
    Row(D, b"[oobe]\ndefault-uid=1\ncommand=/x\n", (), {}, ("Expected '=' in @:2",), True),
    Row(D, b"[oobe]\n_x=1\ncommand=/x\n", (), {}, ("Invalid key name in @:2",), True),
    Row(
        D,
        b"[oobe]\ndefaultUid=abc\ndefaultUid=1000\n",
        (("oobe.defaultUid", b"abc"), ("oobe.defaultUid", b"1000")),
        {},
        (
            "Invalid integer value 'abc' for key 'oobe.defaultUid' in @:2",
            "Duplicated config key 'oobe.defaultUid' in @:3 (Conflicting key: 'oobe.defaultUid' in @:2)",
        ),
        False,
    ),
    Row(
        D,
        b"[oobe]\ndefaultUid=0x3e8\n",
        (("oobe.defaultUid", b"0x3e8"),),
        {"oobe.defaultUid": 1000},
        (),
        False,
    ),
    Row(
        D,
        b"[oobe]\ndefaultUid=1_000\n",
        (("oobe.defaultUid", b"1_000"),),
        {},
        ("Invalid integer value '1_000' for key 'oobe.defaultUid' in @:2",),
        False,
    ),
    Row(
        D,
        b"[oobe]\ndefaultUid=4294967295\n",
        (("oobe.defaultUid", b"4294967295"),),
        {},
        ("Invalid integer value '4294967295' for key 'oobe.defaultUid' in @:2",),
        False,
    ),
    Row(
        D,
        b'[oobe]\ndefaultUid="1000 "\n',
        (("oobe.defaultUid", b"1000 "),),
        {},
        ("Invalid integer value '1000 ' for key 'oobe.defaultUid' in @:2",),
        False,
    ),
    Row(
        D,
        b"[oobe]\ndefaultUid=+1000\n",
        (("oobe.defaultUid", b"+1000"),),
        {"oobe.defaultUid": 1000},
        (),
        False,
    ),
    Row(D, b"[shortcut]\nenabled=0\n", (("shortcut.enabled", b"0"),), {"shortcut.enabled": False}, (), False),
    Row(
        D,
        b"[shortcut]\nenabled=off\nenabled=false\n",
        (("shortcut.enabled", b"off"), ("shortcut.enabled", b"false")),
        {},
        (
            "Invalid boolean value 'off' for key 'shortcut.enabled' in @:2",
            "Duplicated config key 'shortcut.enabled' in @:3 (Conflicting key: 'shortcut.enabled' in @:2)",
        ),
        False,
    ),
    Row(
        D,
        b'[shortcut]\nenabled="false"\n',
        (("shortcut.enabled", b"false"),),
        {"shortcut.enabled": False},
        (),
        False,
    ),
    Row(
        D,
        b"[foo]\nbar=1\n[oobe]\ncommand=/x\n",
        (("foo.bar", b"1"), ("oobe.command", b"/x")),
        {"oobe.command": "/x"},
        ("Unknown key 'foo.bar' in @:2",),
        False,
    ),
    Row(
        D,
        b"[oobe]\ndefaultName=Caf\xc3\xa9\n",
        (("oobe.defaultName", b"Caf\xc3\xa9"),),
        {"oobe.defaultName": "Café"},
        (),
        False,
    ),
    Row(D, b"[oobe]\n\x0bcommand=/x\n", (), {}, ("Invalid key name in @:2",), True),
    Row(D, b"# only\r# mac\r[oobe]\rcommand=/x\r", (), {}, (), False),
    Row(D, b"#", (), {}, (), False),
    Row(
        D,
        b'[oobe]\ncommand=/bin/sh -c "echo \\"hi\\"; exit 0"\n',
        (("oobe.command", b'/bin/sh -c echo "hi"; exit 0'),),
        {"oobe.command": '/bin/sh -c echo "hi"; exit 0'},
        (),
        False,
    ),
    Row(
        D,
        b"[oobe]\ncommand= \\ x\ndefaultUid=1000\n",
        (),
        {},
        ("Invalid escaped character: ' ' in @:2",),
        True,
    ),
    Row(W, b"[filesystem]\numask=22\n", (("filesystem.umask", b"22"),), {"filesystem.umask": 22}, (), False),
    Row(
        W,
        b'[automount]\noptions="metadata,umask=22,fmask=11"\n',
        (("automount.options", b"metadata,umask=22,fmask=11"),),
        {"automount.options": "metadata,umask=22,fmask=11"},
        (),
        False,
    ),
    Row(
        W,
        b"[boot]\nsystemd=yes\ncommand=service docker start\n",
        (("boot.systemd", b"yes"), ("boot.command", b"service docker start")),
        {"boot.command": "service docker start"},
        ("Invalid boolean value 'yes' for key 'boot.systemd' in @:2",),
        False,
    ),
    Row(
        W,
        b"[general]\nhostname=x\n",
        (("general.hostname", b"x"),),
        {},
        ("Unknown key 'general.hostname' in @:2",),
        False,
    ),
    # beyond the basic grammar
    Row(D, b"\xef\xbb\xbf[oobe]\ncommand=/x\n", (), {}, ("Invalid key name in @:1",), True),
    Row(
        D,
        b"[oobe]\ncommand=/x \\\r\n--flag\ndefaultUid=1\n",
        (("oobe.command", b"/x "),),
        {"oobe.command": "/x "},
        ("Invalid key name in @:3",),
        True,
    ),
    Row(D, b"[oobe]\ncommand=a\\\rb\n", (("oobe.command", b"ab"),), {"oobe.command": "ab"}, (), False),
    Row(
        D,
        b"[oobe]\rcommand=/x\rdefaultUid=7\r",
        (("oobe.command", b"/x"), ("oobe.defaultUid", b"7")),
        {"oobe.command": "/x", "oobe.defaultUid": 7},
        (),
        False,
    ),
    Row(D, b"[oobe]\ncommand=a \x00b\n", (("oobe.command", b"a "),), {"oobe.command": "a "}, (), False),
    Row(
        D,
        b"[OOBE]\nDEFAULTUID = -2147483648\n",
        (("OOBE.DEFAULTUID", b"-2147483648"),),
        {"oobe.defaultUid": -2147483648},
        (),
        False,
    ),
    Row(D, b"[oobe]\ndefaultUid = 010\n", (("oobe.defaultUid", b"010"),), {"oobe.defaultUid": 8}, (), False),
    Row(
        D,
        b"[oobe]\ndefaultUid = 08\n",
        (("oobe.defaultUid", b"08"),),
        {},
        ("Invalid integer value '08' for key 'oobe.defaultUid' in @:2",),
        False,
    ),
    Row(
        D,
        b"[oobe]\ndefaultUid =\n",
        (("oobe.defaultUid", b""),),
        {},
        ("Invalid integer value '' for key 'oobe.defaultUid' in @:2",),
        False,
    ),
    Row(
        D,
        b'[oobe]\ndefaultUid = "\\t 12"\n',
        (("oobe.defaultUid", b"\t 12"),),
        {"oobe.defaultUid": 12},
        (),
        False,
    ),
    Row(
        D,
        b"[shortcut]\nenabled =\n",
        (("shortcut.enabled", b""),),
        {},
        ("Invalid boolean value '' for key 'shortcut.enabled' in @:2",),
        False,
    ),
    Row(D, b'[oobe]\ncommand = a"b"c\n', (("oobe.command", b"abc"),), {"oobe.command": "abc"}, (), False),
    Row(D, b"[oobe]\ncommand = a#b\n", (("oobe.command", b"a"),), {"oobe.command": "a"}, (), False),
    Row(D, b"[oobe] x\n", (), {}, ("Expected ' ' or '\\n' in @:1",), True),
    Row(
        W,
        b"[automount]\ncgroups = V1\n",
        (("automount.cgroups", b"V1"),),
        {"automount.cgroups": "v1"},
        (),
        False,
    ),
    Row(
        W,
        b"[automount]\ncgroups = v3\n",
        (("automount.cgroups", b"v3"),),
        {},
        ("Invalid value 'v3' for config key 'automount.cgroups' in @:2 (Valid values: v1, v2)",),
        False,
    ),
    Row(
        W,
        b"[boot]\nSystemd=true\n[user]\ndefault=me\n[boot]\nsystemd=false\n",
        (("boot.Systemd", b"true"), ("user.default", b"me"), ("boot.systemd", b"false")),
        {"boot.systemd": True, "user.default": "me"},
        ("Duplicated config key 'boot.systemd' in @:6 (Conflicting key: 'boot.Systemd' in @:2)",),
        False,
    ),
    Row(W, b"", (), {}, (), False),
]


@pytest.mark.parametrize("row", ROWS, ids=[repr(row.data) for row in ROWS])
def test_a_file_is_read_as_wsl_reads_it(row):
    parsed = parse_config(row.data, row.file)
    defaults = {key.name: key.default for key in keys_of(row.file)}
    assert parsed.entries == row.entries
    assert parsed.effective == defaults | row.set_to
    assert tuple(warning.message for warning in parsed.warnings) == tuple(
        text.replace("@", row.file.path) for text in row.warnings
    )
    assert parsed.stopped is row.stopped


def test_wsl_counts_the_lines_of_a_crlf_file_twice_and_we_count_them_once():
    parsed = parse_config(b"# one\r\n\r\n[oobe]\r\ncommand=/x\r\nnope=1\r\n", D)
    (warning,) = parsed.warnings
    assert (warning.line, warning.wsl_line) == (5, 7)
    assert warning.message == "Unknown key 'oobe.nope' in /etc/wsl-distribution.conf:7"


def test_a_setting_knows_the_line_that_made_it():
    parsed = parse_config(b"[oobe]\r\ncommand=/x\r\n", D)
    lines = {setting.key.name: setting.line for setting in parsed.settings}
    assert lines["oobe.command"] == 2
    assert lines["oobe.defaultUid"] == 0


WORDS = b'[oobe] [boot] command systemd defaultUid = # " \\ 1 true \xff \xc3\xa9 - 0x 08 /x ; \0'.split(b" ")
FRAGMENTS = st.sampled_from([*WORDS, b" ", b"\t", b"\n", b"\r\n", b"\r", b"9" * 5000])


@given(
    st.one_of(st.binary(max_size=300), st.lists(FRAGMENTS, max_size=40).map(b"".join)),
    st.sampled_from(ConfigFile),
)
def test_no_bytes_make_the_parser_fail(data, file):
    parsed = parse_config(data, file)
    assert set(parsed.effective) == {key.name for key in keys_of(file)}
    assert not parsed.stopped or parsed.warnings
    assert all(1 <= warning.line <= warning.wsl_line + data.count(b"\r") for warning in parsed.warnings)


@given(st.lists(FRAGMENTS, max_size=20).map(b"".join), st.lists(FRAGMENTS, max_size=20).map(b"".join))
def test_what_follows_a_stop_changes_nothing(start, rest):
    parsed = parse_config(start + b"\n;\n", W)
    if parsed.stopped and parsed.warnings[-1].message.startswith("Invalid key name"):
        assert parse_config(start + b"\n;\n" + rest, W) == parsed


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_comments_and_blank_lines_change_no_value(first, second):
    plain = b"[boot]\ncommand=x\n[user]\ndefault=me\n"
    noisy = (
        b"[boot] #" + _line(first) + b"\n\n \t\ncommand=x #" + _line(second) + b"\n#\n[user]\ndefault=me\n"
    )
    assert parse_config(noisy, W).effective == parse_config(plain, W).effective


def _line(data: bytes) -> bytes:
    return data.replace(b"\n", b"")
