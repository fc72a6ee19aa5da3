"""The distribution list as wsl.exe reads it and looks names up in it."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.wsl.lists import DistributionList, Legacy, ListError, Version, parse_list
from builder.wsl.lookup import (
    Match,
    doubt_file_url,
    find_defect,
    look_up,
    look_up_default,
    make_available,
    rows_online,
    windows_path,
)

SHA = "ab" * 32


def entry(
    name: str, *, default: bool | None = None, archs: str = "amd64 arm64", sha: str = SHA
) -> dict[str, Any]:
    places = {"amd64": "Amd64Url", "arm64": "Arm64Url"}
    made: dict[str, Any] = {"Name": name, "FriendlyName": f"{name} for everyone"}
    if default is not None:
        made["Default"] = default
    for arch in archs.split():
        made[places[arch]] = {"Url": f"https://example.com/{name}_{arch}.wsl", "Sha256": sha}
    return made


def legacy(name: str, *, amd64: bool = True, arm64: bool = False) -> dict[str, Any]:
    return {"Name": name, "FriendlyName": name, "StoreAppId": "9X", "Amd64": amd64, "Arm64": arm64}


def read(document: object, *, local: bool = True) -> DistributionList:
    return parse_list(json.dumps(document).encode(), local=local)


def see(document: object, override: object = None, arch: str = "amd64"):
    return make_available(read(document), None if override is None else read(override), arch)


def fail(call, *arguments, **options) -> ListError:
    with pytest.raises(ListError) as caught:
        call(*arguments, **options)
    return caught.value


LIST = {
    "Default": "Corp",
    "ModernDistributions": {
        "Corp": [entry("Corp-2", default=True), entry("Corp-1"), entry("Corp-Dev", archs="arm64")],
        "Lab": [entry("Lab-1", default=True, archs="arm64"), entry("Lab-0")],
    },
    "Distributions": [legacy("Old")],
}


def test_an_empty_list_shows_nothing_and_has_no_default():
    available = see({})
    assert rows_online(available) == ()
    assert fail(look_up_default, available).code == "E_UNEXPECTED"
    assert "No default distribution has been configured" in str(fail(look_up_default, available))


def test_a_flavor_leads_to_its_default_and_a_name_to_itself_whatever_the_case():
    available = see(LIST)
    flavor, name, old = (look_up(available, text) for text in ("CORP", "corp-1", "oLD"))
    assert (flavor.entry.name, flavor.match, flavor.flavor) == ("Corp-2", Match.FLAVOR, "Corp")
    assert (name.entry.name, name.match) == ("Corp-1", Match.NAME)
    assert (old.entry.name, old.match) == ("Old", Match.LEGACY)
    assert look_up_default(available).entry.name == "Corp-2"


def test_an_entry_for_the_other_architecture_is_neither_shown_nor_installable():
    available = see(LIST)
    assert [row.name for row in rows_online(available)] == ["Corp-2", "Corp-1", "Lab-0", "Old"]
    assert fail(look_up, available, "Corp-Dev").code == "WSL_E_DISTRO_NOT_FOUND"
    assert look_up(see(LIST, arch="arm64"), "Corp-Dev").entry.name == "Corp-Dev"


def test_a_flavor_whose_default_lacks_the_architecture_cannot_be_named():
    error = fail(look_up, see(LIST), "lab")
    assert error.code == "WSL_E_DISTRO_NOT_FOUND"
    assert "Invalid distribution name: 'lab'" in str(error)
    assert "Lab has no Default version for amd64: mark one" in error.fix


def test_arm64_does_not_fall_back_to_amd64():
    document = {"ModernDistributions": {"A": [entry("A-1", default=True, archs="amd64")]}}
    assert fail(look_up, see(document, arch="arm64"), "A-1").code == "WSL_E_DISTRO_NOT_FOUND"


def test_an_architecture_that_windows_lacks_is_no_architecture():
    with pytest.raises(ValueError, match="expected one of amd64, arm64, found 'riscv64'"):
        see(LIST, arch="riscv64")


def test_the_first_of_two_defaults_wins():
    document = {
        "ModernDistributions": {"A": [entry("A-1"), entry("A-2", default=True), entry("A-3", default=True)]}
    }
    assert look_up(see(document), "A").entry.name == "A-2"


def test_a_version_named_like_a_later_flavor_shadows_it():
    document = {"ModernDistributions": {"A": [entry("B")], "B": [entry("B-1", default=True)]}}
    assert look_up(see(document), "B").flavor == "A"


def test_the_override_is_asked_first_and_flavors_are_not_merged():
    override = {
        "ModernDistributions": {"Corp": [entry("Corp-9"), entry("Corp-1")], "Extra": [entry("Extra-1")]}
    }
    available = see(LIST, override)
    assert look_up(available, "Corp-1").overridden
    assert look_up(available, "Corp").entry.name == "Corp-2"
    assert not look_up(available, "Corp").overridden
    names = [row.name for row in rows_online(available)]
    assert names == ["Corp-9", "Corp-1", "Extra-1", "Corp-2", "Lab-0", "Old"]


def test_the_default_of_the_override_even_a_derived_one_wins():
    assert look_up_default(see(LIST, {"Default": "Lab-0"})).entry.name == "Lab-0"
    assert look_up_default(see(LIST, {"Distributions": [legacy("New")]})).entry.name == "New"
    assert look_up_default(see(LIST, {})).entry.name == "Corp-2"


def test_the_first_legacy_entry_of_the_architecture_is_the_default_of_a_list_without_one():
    document = {"Distributions": [legacy("Arm", amd64=False, arm64=True), legacy("Intel")]}
    assert look_up_default(see(document)).entry.name == "Intel"
    assert look_up_default(see(document, arch="arm64")).entry.name == "Arm"


def test_the_legacy_option_skips_modern_entries():
    assert fail(look_up, see(LIST), "Corp", legacy=True).code == "WSL_E_DISTRO_NOT_FOUND"
    assert isinstance(look_up_default(see(LIST), legacy=True).entry, Legacy)
    assert fail(look_up_default, see({}), legacy=True).code == "E_UNEXPECTED"


def test_four_versions_of_a_flavor_are_shown_and_all_can_be_installed():
    document = {"ModernDistributions": {"A": [entry(f"A-{number}") for number in range(6)]}}
    available = see(document)
    assert [row.name for row in rows_online(available)] == ["A-0", "A-1", "A-2", "A-3"]
    assert look_up(available, "A-5").entry.name == "A-5"


def test_equal_names_are_shown_once_and_names_that_differ_in_case_twice():
    document = {"ModernDistributions": {"A": [entry("A-1"), entry("a-1")], "B": [entry("A-1")]}}
    assert [row.name for row in rows_online(see(document))] == ["A-1", "a-1"]


def test_unknown_names_are_ignored_and_missing_texts_are_empty():
    document = {"Size": 1, "ModernDistributions": {"A": [{"Amd64Url": {"Size": 5}, "Description": []}]}}
    (flavor,) = read(document).flavors
    assert flavor.versions[0].name == ""
    assert flavor.versions[0].amd64 is not None
    assert flavor.versions[0].amd64.sha256 == ""


def test_null_stands_for_absent_where_wsl_allows_it():
    version = entry("A-1") | {"Default": None, "Arm64Url": None}
    old = legacy("Old") | {"Amd64PackageUrl": None, "PackageFamilyName": None}
    made = read({"ModernDistributions": {"A": [version]}, "Distributions": [old]})
    assert not made.flavors[0].versions[0].default
    assert made.flavors[0].versions[0].arm64 is None
    assert made.legacy[0].amd64_package_url is None


def test_null_and_arrays_at_the_top_are_taken_as_nlohmann_json_takes_them():
    nothing = {"Default": None, "ModernDistributions": None, "Distributions": None}
    assert read(nothing) == read({"ModernDistributions": []}) == DistributionList()
    assert [flavor.name for flavor in read({"ModernDistributions": [[], [entry("A-1")]]}).flavors] == [
        "0",
        "1",
    ]


def wrong(**change: object) -> dict[str, Any]:
    return {"ModernDistributions": {"A": [entry("A-1") | change]}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "$: expected an object, found an array"),
        ({"Default": 1}, "$.Default: expected a string, found a number"),
        ({"ModernDistributions": 5}, "$.ModernDistributions: expected an object, found a number"),
        ({"ModernDistributions": [{}]}, "$.ModernDistributions.0: expected an array, found an object"),
        ({"ModernDistributions": {"A": None}}, "$.ModernDistributions.A: expected an array, found null"),
        (
            {"ModernDistributions": {"A": [None]}},
            "$.ModernDistributions.A[0]: expected an object, found null",
        ),
        ({"ModernDistributions": {"A": {}}}, "$.ModernDistributions.A: expected an array, found an object"),
        (
            {"ModernDistributions": {"A": ["x"]}},
            "$.ModernDistributions.A[0]: expected an object, found a string",
        ),
        (wrong(Default="true"), "$.ModernDistributions.A[0].Default: expected a boolean, found a string"),
        (wrong(Default=1), "$.ModernDistributions.A[0].Default: expected a boolean, found a number"),
        (wrong(Name=None), "$.ModernDistributions.A[0].Name: expected a string, found null"),
        (
            wrong(FriendlyName=3.5),
            "$.ModernDistributions.A[0].FriendlyName: expected a string, found a number",
        ),
        (
            wrong(Amd64Url="https://x"),
            "$.ModernDistributions.A[0].Amd64Url: expected an object, found a string",
        ),
        (
            wrong(Arm64Url={"Url": 1}),
            "$.ModernDistributions.A[0].Arm64Url.Url: expected a string, found a number",
        ),
        ({"Distributions": {}}, "$.Distributions: expected an array, found an object"),
        ({"Distributions": [{"Amd64": 1}]}, "$.Distributions[0].Amd64: expected a boolean, found a number"),
        (
            {"Distributions": [{"StoreAppId": None}]},
            "$.Distributions[0].StoreAppId: expected a string, found null",
        ),
    ],
)
def test_one_wrong_type_anywhere_invalidates_the_list(document, message):
    error = fail(read, document)
    assert error.code == "WSL_E_INVALID_JSON"
    assert message in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{} x",
        b"// c\n{}",
        b'{"a":1,}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b"[" * 9999,
    ],
)
def test_what_is_not_strict_json_is_no_list(data):
    assert fail(parse_list, data, local=False).code == "WSL_E_INVALID_JSON"


def test_a_byte_order_mark_breaks_a_local_list_only():
    data = b"\xef\xbb\xbf{}"
    assert "write it without a byte order mark" in str(fail(parse_list, data, local=True))
    assert parse_list(data, local=False) == DistributionList()


def test_text_beyond_ascii_is_garbled_in_a_local_list_unless_it_is_escaped():
    document = {"Default": "Köln"}
    raw, escaped = (json.dumps(document, ensure_ascii=escape).encode() for escape in (False, True))
    assert parse_list(raw, local=True).default == "KÃ¶ln"
    assert parse_list(raw, local=False).default == parse_list(escaped, local=True).default == "Köln"


@pytest.mark.parametrize(
    ("name", "sha", "code", "message"),
    [
        ("A-1", "", "TRUST_E_BAD_DIGEST", "Sha256 has 0 digits instead of 64"),
        ("A-1", "abc", "E_INVALIDARG", "Invalid hex string: abc"),
        ("A-1", "zz" * 32, "E_INVALIDARG", "Invalid hex string"),
        ("A 1", SHA, "E_INVALIDARG", "the name 'A 1' contains ' '"),
        ("A/1", SHA, "E_INVALIDARG", "the name 'A/1' contains '/'"),
    ],
)
def test_an_entry_that_is_shown_may_still_fail_to_install(name, sha, code, message):
    available = see({"ModernDistributions": {"A": [entry(name, sha=sha)]}})
    assert [row.name for row in rows_online(available)] == [name]
    version = look_up(available, name).entry
    assert isinstance(version, Version)
    defect = find_defect(version, "amd64")
    assert defect is not None
    assert defect.code == code
    assert message in defect.message
    assert defect.fix.startswith("rename the entry" if sha == SHA else "give the 64 hexadecimal digits")


@pytest.mark.parametrize("sha", [SHA, SHA.upper(), "0x" + SHA, "0X" + SHA])
def test_hashes_are_taken_in_any_case_and_with_a_prefix(sha):
    version = look_up(see({"ModernDistributions": {"A": [entry("A-1", sha=sha)]}}), "A-1").entry
    assert isinstance(version, Version)
    assert find_defect(version, "amd64") is None


@pytest.mark.parametrize(
    ("url", "path", "doubt"),
    [
        ("file:///C:/a/b.wsl", r"C:\a\b.wsl", ""),
        ("file://C:/a", r"C:\a", ""),
        ("file://server/share/x", r"server\share\x", "leads to the relative path"),
        ("file:////server/share/x", r"\server\share\x", "write file://///SERVER/SHARE/FILE"),
        ("file://///server/share/x", r"\\server\share\x", ""),
        (r"file://\\server\share\x", r"\\server\share\x", ""),
        ("file:///C:/my%20dir/x", r"C:\my%20dir\x", "percent escapes are not decoded"),
        ("FILE:///C:/x", None, "write file:// in lower case"),
        ("https://example.com/x", None, ""),
    ],
)
def test_file_addresses_lead_where_wsl_makes_them_lead(url, path, doubt):
    assert windows_path(url) == path
    assert doubt in doubt_file_url(url)
    assert bool(doubt) == bool(doubt_file_url(url))


def test_an_error_survives_the_way_to_another_process():
    error = ListError("E_UNEXPECTED", "found nothing", where="list.json", fix="add one")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.code) == (str(error), error.code)


NAMES = st.sampled_from(["A", "a", "B", "A-1", "a-1", "A-2", "B-1", "C"])
VERSIONS = st.builds(
    entry,
    NAMES,
    default=st.sampled_from([None, True, False]),
    archs=st.sampled_from(["amd64", "arm64", "amd64 arm64", ""]),
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "Default": NAMES,
        "ModernDistributions": st.dictionaries(NAMES, st.lists(VERSIONS, max_size=6), max_size=3),
        "Distributions": st.lists(
            st.builds(legacy, NAMES, amd64=st.booleans(), arm64=st.booleans()), max_size=3
        ),
    },
)
ARCHITECTURES = st.sampled_from(["amd64", "arm64"])


@given(DOCUMENTS, st.none() | DOCUMENTS, ARCHITECTURES)
def test_whatever_is_shown_can_be_looked_up(document, override, arch):
    available = see(document, override, arch)
    for row in rows_online(available):
        found = look_up(available, row.name)
        assert isinstance(found.entry, Legacy) or found.entry.archive(arch) is not None


@given(DOCUMENTS, ARCHITECTURES, NAMES)
def test_case_changes_no_look_up(document, arch, name):
    available = see(document, None, arch)
    assert _outcome(available, name.upper()) == _outcome(available, name.lower())


@given(DOCUMENTS, DOCUMENTS, ARCHITECTURES, NAMES)
def test_what_an_override_has_it_has_alone(document, override, arch, name):
    alone = _outcome(see(override, None, arch), name)
    if alone is not None:
        assert _outcome(see(document, override, arch), name) == alone


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise_anything_but_the_error_of_wsl(data, local):
    try:
        parse_list(data, local=local)
    except ListError as error:
        assert error.code == "WSL_E_INVALID_JSON"


def _outcome(available, name: str):
    try:
        return look_up(available, name).entry
    except ListError:
        return None
