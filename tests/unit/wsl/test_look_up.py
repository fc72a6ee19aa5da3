"""Which entry a name leads to: literal cases, and a thousand catalogs against the rules in other words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.wsl.lists import ListError, Version, parse_list
from builder.wsl.lookup import Available, find_defect, look_up, look_up_default, make_available, rows_online
from tests.unit.wsl.test_lists import ARCHITECTURES, DOCUMENTS, NAMES, SHA, entry, legacy

Document = dict[str, Any]


def modern(**flavors: list[Document]) -> Document:
    return {"ModernDistributions": flavors}


def see(base: object, append: object, architecture: str = "amd64") -> Available:
    lists = [
        None if one is None else parse_list(json.dumps(one).encode(), local=True) for one in (base, append)
    ]
    assert lists[0] is not None
    return make_available(lists[0], lists[1], architecture)


def answer(available: Available, name: str | None, *, only_legacy: bool = False) -> str:
    """The friendly name of what is installed, which tells equal names apart, or the name of the error."""
    try:
        found = (
            look_up_default(available, legacy=only_legacy)
            if name is None
            else look_up(available, name, legacy=only_legacy)
        )
    except ListError as error:
        return error.code
    return found.entry.friendly_name + (" (override)" if found.overridden else "")


def named(name: str, title: str, **options: Any) -> Document:
    return entry(name, **options) | {"FriendlyName": title}


def old(name: str, title: str, **options: Any) -> Document:
    return legacy(name, **options) | {"FriendlyName": title}


BASE = modern(
    Ubuntu=[named("Ubuntu", "main alias", default=True), named("Ubuntu-24.04", "main 24.04")],
    Fedora=[
        named("Fedora-42", "main fedora", default=True, archs="amd64"),
        named("Fedora-41", "older fedora"),
    ],
) | {"Default": "Ubuntu", "Distributions": [old("Ancient", "main ancient"), old("Fedora", "appx fedora")]}


@pytest.mark.parametrize(
    ("append", "architecture", "name", "expected"),
    [
        # An empty list has nothing, and no default.
        (None, "amd64", "nothing", "WSL_E_DISTRO_NOT_FOUND"),
        ({}, "amd64", None, "main alias"),
        # Entries of the other architecture are not there, so a flavor may lose its default.
        (None, "amd64", "fedora", "main fedora"),
        (None, "arm64", "Fedora-42", "WSL_E_DISTRO_NOT_FOUND"),
        (None, "arm64", "Fedora-41", "older fedora"),
        (None, "arm64", "Fedora", "WSL_E_DISTRO_NOT_FOUND"),
        # The list to append is searched to its end before the main one, and says so.
        (modern(Ubuntu=[named("X", "ours", default=True)]), "amd64", "ubuntu", "ours (override)"),
        (modern(Corp=[named("Ubuntu-24.04", "ours")]), "amd64", "UBUNTU-24.04", "ours (override)"),
        # Flavors of the same name are not merged: without a default the main list's counts.
        (modern(Ubuntu=[named("Ubuntu-26.04", "ours")]), "amd64", "Ubuntu", "main alias"),
        (modern(Ubuntu=[named("Ubuntu-26.04", "ours")]), "amd64", "Ubuntu-26.04", "ours (override)"),
        (modern(Ubuntu=[named("X", "ours", default=True, archs="arm64")]), "amd64", "Ubuntu", "main alias"),
        # Even a packaged application of the list to append comes before anything of the main one.
        ({"Distributions": [old("Ubuntu", "our appx")]}, "amd64", "Ubuntu", "our appx (override)"),
        # Its Default wins, whether it names a flavor, a version, something of the main list, or nothing.
        ({"Default": "Fedora"}, "amd64", None, "main fedora"),
        ({"Default": "ubuntu-24.04"}, "amd64", None, "main 24.04"),
        ({"Default": "nothing"}, "amd64", None, "WSL_E_DISTRO_NOT_FOUND"),
        ({"Default": "corp"} | modern(Corp=[named("Corp", "ours")]), "amd64", None, "ours (override)"),
        (modern(Corp=[named("Corp", "ours", default=True)]), "amd64", None, "main alias"),
        ({"Distributions": [old("New", "our appx")]}, "amd64", None, "our appx (override)"),
        # Within a list modern entries come before packaged applications.
        (None, "amd64", "ancient", "main ancient"),
        (None, "amd64", "Fedora", "main fedora"),
    ],
)  # fmt: skip
def test_a_name_leads_to_one_entry(
    append: object, architecture: str, name: str | None, expected: str
) -> None:
    assert answer(see(BASE, append, architecture), name) == expected


@pytest.mark.parametrize(
    ("document", "name", "expected"),
    [
        ({}, None, "E_UNEXPECTED"),
        ({"Distributions": []}, None, "E_UNEXPECTED"),
        (modern(A=[]), "A", "WSL_E_DISTRO_NOT_FOUND"),
        (modern(A=[named("A-1", "one")]), "A", "WSL_E_DISTRO_NOT_FOUND"),
        # The first default of a flavor, and the first of two equal names.
        (modern(A=[named("A-1", "1", default=True), named("A-2", "2", default=True)]), "a", "1"),
        (modern(A=[named("A-1", "1"), named("a-1", "2")]), "a-1", "1"),
        # Flavors and names are one name space, in the order of the file.
        (modern(A=[named("B", "of A")], B=[named("B-1", "of B", default=True)]), "b", "of A"),
        (modern(B=[named("B-1", "of B", default=True)], A=[named("B", "of A")]), "b", "of B"),
        # A packaged application is the default of a list that names none.
        ({"Distributions": [old("Old", "appx")]}, None, "appx"),
        ({"Distributions": [old("Old", "appx", amd64=False, arm64=True)]}, None, "E_UNEXPECTED"),
    ],
)
def test_a_list_answers_in_its_order(document: Document, name: str | None, expected: str) -> None:
    assert answer(see(document, None), name) == expected


def test_the_option_legacy_sees_packaged_applications_only() -> None:
    available = see(BASE, None)
    assert answer(available, "Fedora", only_legacy=True) == "appx fedora"
    assert answer(available, "Ubuntu", only_legacy=True) == "WSL_E_DISTRO_NOT_FOUND"
    assert answer(available, None, only_legacy=True) == "main ancient"


def test_what_is_shown_is_counted_after_the_other_architecture_is_gone() -> None:
    flavor = [named(f"A-{n}", "", archs="arm64" if n % 2 else "amd64") for n in range(12)]
    rows = rows_online(see(modern(A=flavor), modern(A=[named("A-4", "ours")])))
    assert [row.name for row in rows] == ["A-4", "A-0", "A-2", "A-6"]


def test_the_list_to_append_is_shown_first() -> None:
    rows = rows_online(see(BASE, modern(Ubuntu=[named("Ubuntu", "ours"), named("ubuntu", "another")])))
    shown = [(row.name, row.friendly_name) for row in rows]
    assert shown[:3] == [("Ubuntu", "ours"), ("ubuntu", "another"), ("Ubuntu-24.04", "main 24.04")]
    assert shown[-2:] == [("Ancient", "main ancient"), ("Fedora", "appx fedora")]


@pytest.mark.parametrize(
    ("name", "archive", "code"),
    [
        ("A-1", {}, "TRUST_E_BAD_DIGEST"),
        ("A-1", {"Sha256": ""}, "TRUST_E_BAD_DIGEST"),
        ("A-1", {"Sha256": "0x"}, "TRUST_E_BAD_DIGEST"),
        ("A-1", {"Sha256": SHA[:-1]}, "E_INVALIDARG"),
        ("A-1", {"Sha256": SHA[:-1] + "g"}, "E_INVALIDARG"),
        ("A-1", {"Sha256": f"0x0x{SHA}"}, "E_INVALIDARG"),
        ("A" * 256, {"Sha256": SHA}, ""),
        ("A" * 257, {"Sha256": SHA}, "E_INVALIDARG"),
        ("Ä-1", {"Sha256": SHA}, "E_INVALIDARG"),
        ("", {"Sha256": SHA}, "E_INVALIDARG"),
    ],
)
def test_what_is_listed_may_fail_after_the_download(name: str, archive: Document, code: str) -> None:
    document = modern(A=[{"Name": name, "Amd64Url": {"Url": "https://x", **archive}}])
    available = see(document, None)
    assert [row.name for row in rows_online(available)] == [name]
    version = available.base.flavors[0].versions[0]
    defect = find_defect(version, "amd64")
    assert (defect.code if defect else "") == code


@settings(max_examples=1000)
@given(DOCUMENTS, st.none() | DOCUMENTS, ARCHITECTURES, NAMES)
def test_a_thousand_catalogs_answer_by_the_rules(
    base: Document, append: Document | None, architecture: str, name: str
) -> None:
    available = see(base, append, architecture)
    expected = next(
        (one for document in (append, base) for one in candidates(document, architecture, name)), None
    )
    try:
        found = look_up(available, name)
    except ListError:
        assert expected is None
        return
    assert expected is not None
    assert (found.entry.name, found.entry.friendly_name) == (expected["Name"], expected["FriendlyName"])
    assert found.overridden == any(candidates(append, architecture, name))
    if isinstance(found.entry, Version):
        assert found.entry.archive(architecture) is not None
        assert name.lower() in (found.flavor.lower(), found.entry.name.lower())


def candidates(document: Document | None, architecture: str, name: str) -> Iterator[Document]:
    """Every entry of one list that `name` may mean, the one that counts first."""
    document = document or {}
    place = {"amd64": "Amd64Url", "arm64": "Arm64Url"}[architecture]
    for flavor, versions in document.get("ModernDistributions", {}).items():
        for one in versions:
            stands = one.get("Default") and flavor.lower() == name.lower()
            if place in one and (stands or one["Name"].lower() == name.lower()):
                yield one
    for one in document.get("Distributions", ()):
        if one[architecture.title()] and one["Name"].lower() == name.lower():
            yield one
