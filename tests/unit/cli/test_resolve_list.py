"""`wslimg catalog resolve`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from builder.cli.resolve_list import resolve
from builder.core.errors import UsageError

SHA = "cd" * 32


def version(name: str, **more: object) -> dict[str, object]:
    archive = {"Url": f"https://example.com/{name}.wsl", "Sha256": SHA}
    return {"Name": name, "FriendlyName": f"The {name}", "Amd64Url": archive, **more}


LIST = {
    "Default": "Corp",
    "ModernDistributions": {"Corp": [version("Corp-2", Default=True), version("Corp-1")]},
}


@pytest.fixture
def place(tmp_path):
    def write(document: object, name: str = "list.json") -> str:
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(path)

    return write


def run(*arguments: str):
    return CliRunner().invoke(resolve, [*arguments, "--arch", "amd64"])


def test_a_name_shows_its_entry_with_address_and_hash(place):
    result = run(place(LIST), "corp")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "`wsl --install corp` on amd64 takes Corp-2 (default of the flavor)",
        "  friendly_name: The Corp-2",
        "  url: https://example.com/Corp-2.wsl",
        f"  sha256: {SHA}",
    ]


def test_without_a_name_it_shows_what_is_offered_and_what_is_taken(place):
    result = run("file://" + place(LIST))
    assert result.stdout.splitlines()[:5] == [
        "NAME      FRIENDLY NAME",
        "Corp-2    The Corp-2",
        "Corp-1    The Corp-1",
        "",
        "`wsl --install` on amd64 takes Corp-2 (default of the flavor)",
    ]


def test_json_holds_entry_error_and_offer(place):
    answer = json.loads(run(place(LIST), "Corp-1", "--format", "json").stdout)
    assert answer["entry"] == {
        "name": "Corp-1",
        "friendly_name": "The Corp-1",
        "match": "name",
        "flavor": "Corp",
        "overridden": False,
        "url": "https://example.com/Corp-1.wsl",
        "sha256": SHA,
    }
    assert answer["error"] is None
    assert [row["name"] for row in answer["online"]] == ["Corp-2", "Corp-1"]


def test_an_appended_list_is_asked_first(place):
    extra = place({"ModernDistributions": {"Corp": [version("Corp-3", Default=True)]}}, "extra.json")
    result = run(place(LIST), "Corp", "--append", extra)
    assert "takes Corp-3" in result.stdout
    assert 'wsl: The distribution "Corp" is provided by an override manifest.' in result.stdout


def test_a_default_of_the_appended_list_is_named_as_wsl_names_it(place):
    extra = place(
        {"Default": "corp", "ModernDistributions": {"Corp": [version("Corp-3", Default=True)]}}, "x.json"
    )
    assert 'wsl: The distribution "corp" is provided' in run(place(LIST), "--append", extra).stdout


@pytest.mark.parametrize(
    ("document", "arguments", "code", "number", "message"),
    [
        (LIST, ["Nope"], "WSL_E_DISTRO_NOT_FOUND", "0x80040302", "Invalid distribution name: 'Nope'"),
        ({}, [], "E_UNEXPECTED", "0x8000FFFF", "No default distribution has been configured"),
        ("{", ["x"], "WSL_E_INVALID_JSON", "0x80040331", "list.json"),
        (
            {"Default": 1},
            ["x"],
            "WSL_E_INVALID_JSON",
            "0x80040331",
            "$.Default: expected a string, found a number",
        ),
        (
            {"ModernDistributions": {"A": [version("A-1", Amd64Url={"Url": "https://x", "Sha256": "abc"})]}},
            ["A-1"],
            "E_INVALIDARG",
            "0x80070057",
            "Invalid hex string: abc",
        ),
        (
            {"ModernDistributions": {"A": [version("A-1", Amd64Url={"Url": "file://server/x.wsl"})]}},
            ["A-1"],
            "TRUST_E_BAD_DIGEST",
            "0x80096010",
            "Sha256 has 0 digits",
        ),
    ],
)
def test_where_wsl_fails_its_error_is_shown(place, document, arguments, code, number, message):
    text, answer = (run(place(document), *arguments, "--format", form) for form in ("text", "json"))
    assert text.exit_code == answer.exit_code == 5
    assert f"error: {code} ({number})" in text.stdout
    assert "fix: " in text.stdout
    error = json.loads(answer.stdout)["error"]
    assert (error["code"], error["hex"]) == (code, number)
    assert message in error["message"]


def test_a_doubtful_address_is_pointed_out(place):
    document = {
        "ModernDistributions": {"A": [version("A-1", Amd64Url={"Url": "file://srv/x.wsl", "Sha256": SHA})]}
    }
    result = run(place(document), "A-1")
    assert r"warning: the address leads to the relative path srv\x.wsl" in result.stdout


@pytest.mark.parametrize(
    ("source", "message"),
    [("/nope/list.json", "No such file"), ("https://example.com/l.json", "is not a local list")],
)
def test_a_list_that_cannot_be_read_is_a_usage_error(source, message):
    result = run(source)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
