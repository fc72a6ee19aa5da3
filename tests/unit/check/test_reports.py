"""Forms of a report, options, explanations, the command."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from builder.check.explain import explain, reference
from builder.check.formats import render
from builder.check.options import CheckOptions, Disabled, parse_version
from builder.check.table import IMAGE_RULES, LIST_RULES, MICROSOFT_LIST_RULES, MICROSOFT_RULES, all_rules
from builder.cli.check import check as command
from builder.core.errors import RecipeError, UsageError
from builder.recipe import DisabledRule
from tests.unit.check.good import check_items, good, rules_of
from tests.unit.check.images import file, image

FSTAB = file("etc/fstab", "LABEL=a /b ext4\n")
ODD = file(b"init\x1b[31m\n&<\xff", "x", 0o666)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.wsl"
    path.write_bytes(image(*good(FSTAB, ODD, file("a/../b"))))
    return str(path)


def test_json_has_exactly_the_promised_shape(bad: str) -> None:
    done = run(bad, "--format", "json")
    report = json.loads(done.output)
    assert done.exit_code == 5
    assert set(report) == {"ok", "findings"}
    assert report["ok"] is False
    assert {tuple(finding) for finding in report["findings"]} == {
        ("rule", "severity", "path", "message", "fix")
    }


def test_json_of_several_images_names_each(bad: str) -> None:
    findings = json.loads(run(bad, bad, "--format", "json").output)["findings"]
    assert {finding["image"] for finding in findings} == {bad}


def test_sarif_names_rules_levels_and_places(bad: str) -> None:
    (first,) = json.loads(run(bad, "--format", "sarif").output)["runs"]
    known = {rule["id"] for rule in first["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in first["results"]} <= known
    assert {result["level"] for result in first["results"]} == {"error", "warning"}


def test_github_commands_are_one_line_each(bad: str) -> None:
    lines = run(bad, "--format", "github").output.splitlines()
    assert all(line.startswith(("::error file=", "::warning file=", "::notice file=")) for line in lines)
    assert "\x1b" not in "".join(lines)


def test_junit_counts_failures(bad: str) -> None:
    (suite,) = ElementTree.fromstring(run(bad, "--format", "junit", "--strict").output)
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) != "0"


def test_text_says_place_why_and_fix(bad: str) -> None:
    output = run(bad).output
    assert "error WSL005" in output
    assert "  /etc/fstab:1: mounts LABEL=a" in output
    assert "  why: " in output
    assert "  fix: leave only comments in it" in output
    assert "\x1b" not in output


def test_warnings_fail_only_when_strict(tmp_path: Path) -> None:
    path = tmp_path / "warned.wsl"
    path.write_bytes(image(*good(FSTAB)))
    assert run(str(path)).exit_code == 0
    assert run(str(path), "--strict").exit_code == 5
    assert run(str(path), "--strict", "--disable", "WSL405", "--reason", "known").exit_code == 0


def test_a_disabled_rule_is_still_counted(tmp_path: Path) -> None:
    report = check_items(
        good(FSTAB), tmp_path, CheckOptions(disabled=(Disabled(rule="WSL405", reason="known"),))
    )
    assert report.findings == ()
    assert "findings of disabled rules: 1 (WSL405)" in render([report], "text")


def test_errors_only_leaves_out_the_rest(tmp_path: Path) -> None:
    report = check_items(good(FSTAB, file("a/../b")), tmp_path, CheckOptions(errors_only=True))
    assert rules_of(report) == {"WSL005"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--disable", "WSL405"), "there are 1 --disable and 0 --reason"),
        (("--disable", "NOPE1", "--reason", "x"), "there is no rule NOPE1"),
        (("--disable", "WSL405", "--reason", " "), "without a reason"),
        (("--min-wsl", "two"), "'two' is no version of WSL"),
        (("--explain", "nonsense"), "neither a rule nor an error code"),
    ],
)
def test_wrong_options_are_refused(bad: str, arguments: tuple[str, ...], message: str) -> None:
    done = run(bad, *arguments)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    done = run(str(tmp_path / "missing.wsl"))
    assert isinstance(done.exception, UsageError)
    assert "cannot be read: No such file" in str(done.exception)


def test_many_places_of_one_rule_are_counted(tmp_path: Path) -> None:
    items = good(*(file(f"etc/w{number}", "x", 0o666) for number in range(25)))
    findings = check_items(items, tmp_path).findings
    assert len(findings) == 11
    assert findings[-1].message == "and 15 more places"


def test_a_policy_file_is_read_and_its_mistakes_are_placed(tmp_path: Path, bad: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("packages:\n  required: [nano]\nsize: 5\n")
    assert {"POL901", "POL902"} <= {
        finding["rule"]
        for finding in json.loads(run(bad, "--policy", str(policy), "--format", "json").output)["findings"]
    }
    policy.write_text("packages:\n  requird: [nano]\n")
    done = run(bad, "--policy", str(policy))
    assert isinstance(done.exception, RecipeError)
    assert f"{policy}:2:3: " in str(done.exception)


def test_rules_and_codes_are_explained() -> None:
    assert "why: " in explain("wsl005")
    assert "WSL_E_IMPORT_FAILED (0x8004030B)" in explain("0x8004030B")
    assert run("--explain", "WSL005").exit_code == 0


def test_the_reference_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "checks.md"
    assert page.read_text() == reference()


def test_versions_are_compared_as_numbers() -> None:
    assert parse_version("2.10.0") > parse_version("2.4.4")


def test_every_rule_can_be_disabled_in_a_recipe_and_in_any_case(tmp_path: Path) -> None:
    for rule in all_rules():
        DisabledRule(rule=rule.id, reason="known")
    options = CheckOptions(disabled=(Disabled(rule="wsl405", reason="known"),))
    report = check_items(good(FSTAB), tmp_path, options)
    assert [finding.rule for finding in report.disabled] == ["WSL405"]


def test_rules_are_sorted_by_their_ids() -> None:
    for rules in (IMAGE_RULES, MICROSOFT_RULES[1:], LIST_RULES, MICROSOFT_LIST_RULES):
        ids = [rule.id for rule in rules if not rule.id.startswith("POL")]
        assert ids == sorted(set(ids))
