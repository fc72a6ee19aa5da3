"""Names, os-release, error codes, keys and units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.wsl.codes import CODES, find_code
from builder.wsl.keys import DISTRIBUTION_CONF, WSL_CONF, ConfigFile, find_key, validator_accepts
from builder.wsl.names import clean_hostname, doubt_name, refuse_name
from builder.wsl.os_release import Flavor, read_flavor, read_os_release
from builder.wsl.units import UNITS, MaskPolicy, find_unit, units_to_mask


@pytest.mark.parametrize("name", ["a", "Corp-1.2_x", "0", "..", "legacy2", "x" * 256])
def test_legal_names_are_legal(name):
    assert refuse_name(name) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("a b", "contains ' '"),
        ("a/b\n", "contains '\\n/'"),
        ("caf\u00e9", "contains '\u00e9'"),
        ("LEGACY", "is reserved by WSL"),
        ("x" * 257, "has 257 characters, WSL takes at most 256"),
    ],
)
def test_illegal_names_are_refused_with_the_reason(name, reason):
    assert reason in refuse_name(name)


@pytest.mark.parametrize("name", ["nul", "COM1", "con.old", "end."])
def test_names_that_windows_cannot_hold_are_doubted(name):
    assert doubt_name(name)
    assert not refuse_name(name)


def test_ordinary_names_are_not_doubted():
    assert [name for name in ("console", "com10", "a.con", "Ubuntu-24.04") if doubt_name(name)] == []


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("My PC", "MyPC"),
        ("-a--b-", "a-b"),
        ("a.b.c", "a.bc"),
        ("a.-b", "a.b"),
        ("a-.b", "a-b"),
        ("..", "localhost"),
        ("\u00fc", "localhost"),
        ("x" * 63 + "-y", "x" * 63),
    ],
)
def test_host_names_are_cleaned_as_wsl_does(name, cleaned):
    assert clean_hostname(name) == cleaned


@given(st.text(max_size=90))
def test_a_clean_host_name_is_clean(name):
    cleaned = clean_hostname(name)
    assert clean_hostname(cleaned) == cleaned
    assert 0 < len(cleaned) <= 64


@pytest.mark.parametrize(
    ("data", "flavor", "version"),
    [
        (b'ID=debian\nVERSION_ID="12"\n', "debian", "12"),
        (b"VERSION_ID=24.04\nID_LIKE=debian\nID=ubuntu", "ubuntu", "24.04"),
        (b"ID='debian'\nVERSION_ID=12+x\n", None, None),
        (b"ID=debian\r\nVERSION_ID=12\r\n", None, None),
        (b"ID=debian \n", None, None),
        (b'ID="half\nID=\n', "", None),
        (b"ID=a\nID=b\nVERSION_ID=1\nID=c\n", "b", "1"),
        (b"", None, None),
    ],
)
def test_flavor_and_version_are_found_as_wsl_finds_them(data, flavor, version):
    assert read_flavor(data) == Flavor(flavor=flavor, version=version)


def test_os_release_is_read_with_all_its_quotes():
    data = (
        b'# c\nID=debian\nNAME=\'a b\'\nPRETTY_NAME="x \\"y\\" \\$z"\n bad line\nID=ubuntu\nEMPTY=\nB=a b\n'
    )
    assert read_os_release(data) == {
        "ID": "ubuntu",
        "NAME": "a b",
        "PRETTY_NAME": 'x "y" $z',
        "EMPTY": "",
    }


@given(st.binary(max_size=200))
def test_no_bytes_make_os_release_fail(data):
    read_flavor(data)
    assert all(name.isidentifier() for name in read_os_release(data))


@pytest.mark.parametrize(
    "text",
    [
        "0x8004030B",
        "8004030b",
        "WSL_E_IMPORT_FAILED",
        "import_failed",
        "Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED",
        " Wsl/Service/0x8004030b\n",
    ],
)
def test_a_code_is_found_by_number_and_name(text):
    code = find_code(text)
    assert code is not None
    assert (code.name, code.hex) == ("WSL_E_IMPORT_FAILED", "0x8004030B")
    assert "bsdtar" in code.when


def test_codes_are_told_apart_and_say_how_to_go_on():
    assert find_code("0x12345678") is None
    assert find_code("") is None
    assert len({code.value for code in CODES}) == len({code.name for code in CODES}) == len(CODES)
    assert all(code.when and code.fix for code in CODES)


def test_wsl_reads_25_and_7_keys_of_which_the_validator_knows_20_and_7():
    assert (len(WSL_CONF), len(DISTRIBUTION_CONF)) == (25, 7)
    accepted = [key for key in WSL_CONF if validator_accepts(ConfigFile.WSL_CONF, key.name)]
    assert (len(accepted), sum(key.validated for key in DISTRIBUTION_CONF)) == (20, 7)


def test_the_validator_takes_a_key_that_wsl_does_not_know():
    assert find_key(ConfigFile.WSL_CONF, "general.hostname") is None
    assert validator_accepts(ConfigFile.WSL_CONF, "general.hostname")
    assert not validator_accepts(ConfigFile.DISTRIBUTION_CONF, "general.hostname")


def test_the_default_policy_leaves_tmpfiles_alone_and_the_strict_one_does_not():
    default, strict, none = (
        {unit.name for unit in units_to_mask(policy)}
        for policy in (MaskPolicy.WSL_DEFAULT, MaskPolicy.MICROSOFT_STRICT, MaskPolicy.NONE)
    )
    assert not any("tmpfiles" in name for name in default)
    assert "systemd-resolved.service" in default < strict
    assert {unit.name for unit in UNITS if unit.discouraged} <= strict
    assert none == set()
    assert find_unit("tmp.mount") is not None
    assert find_unit("ssh.service") is None
