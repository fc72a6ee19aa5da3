"""For each rule of distribution lists one list that breaks it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from builder.check.options import CheckOptions, Profile
from builder.check.table import LIST_RULES, MICROSOFT_LIST_RULES
from tests.unit.check.good import check_bytes, rules_of

URL = "https://example.com/images/3f2a/example-1_amd64.wsl"
SHA = "0x" + "ab" * 32
GOOD: dict[str, Any] = {
    "Default": "Example",
    "ModernDistributions": {
        "Example": [
            {
                "Name": "Example-1",
                "FriendlyName": "Example 1",
                "Default": True,
                "Amd64Url": {"Url": URL, "Sha256": SHA},
            }
        ]
    },
}


def text(document: object) -> bytes:
    return (json.dumps(document, indent=4) + "\n").encode()


def with_version(**changes: Any) -> bytes:
    document = copy.deepcopy(GOOD)
    version = document["ModernDistributions"]["Example"][0]
    version.update(changes)
    for key in [key for key, value in version.items() if value is None]:
        del version[key]
    return text(document)


def with_url(url: str) -> bytes:
    return with_version(Amd64Url={"Url": url, "Sha256": SHA})


def with_more(*names: str, flavor: str = "Example", **fields: Any) -> bytes:
    document = copy.deepcopy(GOOD)
    base = {"FriendlyName": "x", "Amd64Url": {"Url": URL, "Sha256": SHA}, **fields}
    document["ModernDistributions"].setdefault(flavor, [])
    document["ModernDistributions"][flavor] += [{"Name": name, **base} for name in names]
    return text(document)


BROKEN = {
    "LST001": with_version(Default="true"),
    "LST002": with_version(FriendlyName="Ä").replace(b"\\u00c4", "Ä".encode()),
    "LST003": with_version(Name="Example 1"),
    "LST004": with_version(Amd64Url=None),
    "LST005": with_version(Default=None),
    "LST006": with_more("Example-2", Arm64Url={"Url": URL, "Sha256": SHA}),
    "LST007": with_more("EXAMPLE-1"),
    "LST008": with_version(Name="Other-1"),
    "LST009": with_version(FriendlyName=""),
    "LST010": with_version(Name="Example."),
    "LST011": text({**GOOD, "Default": "Missing"}),
    "LST012": with_more("Example", flavor="ExampleX", Default=True),
    "LST013": with_url("https://example.com/a.tar.gz"),
    "LST014": with_url("file://server/share/a.wsl"),
    "LST015": with_url(URL.replace("https", "http")),
    "LST016": with_url("https://example.com/latest/a.wsl"),
    "LST017": with_url(URL + "?sig=1"),
    "LST018": with_more("Example-2", "Example-3", "Example-4", "Example-5"),
    "LST019": with_version(Size=1),
    "LST020": json.dumps(GOOD).encode(),
}
MICROSOFT = {
    "MS01": with_version(Name=None),
    "MS02": with_version(FriendlyName=None),
    "MS03": BROKEN["LST008"],
    "MS04": BROKEN["LST004"],
    "MS05": BROKEN["LST019"],
    "MS06": BROKEN["LST005"],
    "MS07W": BROKEN["LST013"],
    "MS09": with_version(Amd64Url={"Url": URL}),
}


@pytest.mark.parametrize("profile", Profile)
def test_the_good_list_breaks_no_rule(profile: Profile, tmp_path: Path) -> None:
    report = check_bytes(text(GOOD), tmp_path, CheckOptions(profile=profile), "DistributionInfo.json")
    assert report.findings == ()


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_a_list_that_breaks_a_rule_is_told(rule: str, tmp_path: Path) -> None:
    assert rule in rules_of(check_bytes(BROKEN[rule], tmp_path))


@pytest.mark.parametrize("rule", sorted(MICROSOFT))
def test_microsofts_verdicts_on_lists(rule: str, tmp_path: Path) -> None:
    assert rule in rules_of(check_bytes(MICROSOFT[rule], tmp_path, CheckOptions(profile=Profile.MICROSOFT)))


def test_every_rule_of_lists_has_its_list() -> None:
    assert {rule.id for rule in LIST_RULES} == set(BROKEN)
    assert {rule.id for rule in MICROSOFT_LIST_RULES} == set(MICROSOFT)


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b"{}", b'{"ModernDistributions": 1}', b"\xef\xbb\xbf{}", b"{" * 5000]
)
def test_any_json_gives_a_report(data: bytes, tmp_path: Path) -> None:
    check_bytes(data, tmp_path)
    check_bytes(data, tmp_path, CheckOptions(profile=Profile.MICROSOFT))
