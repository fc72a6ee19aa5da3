"""A report as text, JSON, SARIF 2.1.0, GitHub workflow commands or JUnit XML. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from builder import __version__
from builder.check.options import Report
from builder.check.table import all_rules, find_rule
from builder.model.finding import Finding, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(reports: Sequence[Report], form: str) -> str:
    """The reports in `form`, a key of FORMATS, with a newline at the end unless empty."""
    text = FORMATS[form](reports)
    return text + "\n" if text else ""


def _clean(text: str) -> str:
    """`text` without characters that terminals, XML and UTF-8 cannot take."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def _render_text(reports: Sequence[Report]) -> str:
    return "\n\n".join("\n".join(_text_lines(report)) for report in reports)


def _text_lines(report: Report) -> Iterator[str]:
    yield f"{report.subject}: {_verdict(report)}"
    for rule_id, group in groupby(report.findings, key=lambda finding: finding.rule):
        findings = list(group)
        rule = find_rule(rule_id)
        yield ""
        yield f"{findings[0].severity.value} {rule_id}  {rule.title if rule else ''}"
        for finding in findings:
            yield "  " + _clean(f"{finding.path}: {finding.message}".removeprefix(": "))
        yield f"  why: {rule.why if rule else ''}"
        yield from (f"  fix: {_clean(fix)}" for fix in dict.fromkeys(finding.fix for finding in findings))
    if report.disabled:
        yield ""
        rules = ", ".join(sorted({finding.rule for finding in report.disabled}))
        yield f"findings of disabled rules: {len(report.disabled)} ({rules})"


def _verdict(report: Report) -> str:
    counts = [
        f"{count} {severity.value}{'s' if count > 1 else ''}"
        for severity in Severity
        if (count := report.count(severity))
    ]
    return ("ok" if report.ok else "not ok") + (f" ({', '.join(counts)})" if counts else "")


def _render_json(reports: Sequence[Report]) -> str:
    several = len(reports) > 1
    findings = [
        {"image": report.subject, **finding.as_dict()} if several else finding.as_dict()
        for report in reports
        for finding in report.findings
    ]
    return json.dumps({"ok": all(report.ok for report in reports), "findings": findings}, indent=2)


def _render_sarif(reports: Sequence[Report]) -> str:
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "help": {"text": f"{rule.fix} (source: {rule.source})"},
            "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        }
        for rule in all_rules()
    ]
    results = [_sarif_result(report, finding) for report in reports for finding in report.findings]
    driver = {"name": "wslimg", "version": __version__, "rules": rules}
    document = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(document, indent=2)


def _sarif_result(report: Report, finding: Finding) -> dict[str, object]:
    location: dict[str, object] = {"physicalLocation": {"artifactLocation": {"uri": _uri(report.subject)}}}
    if finding.path:
        location["logicalLocations"] = [{"fullyQualifiedName": _clean(finding.path)}]
    return {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": _clean(f"{finding.message} (fix: {finding.fix})")},
        "locations": [location],
    }


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))


def _render_github(reports: Sequence[Report]) -> str:
    return "\n".join(_github_line(report, finding) for report in reports for finding in report.findings)


def _github_line(report: Report, finding: Finding) -> str:
    level = "notice" if finding.severity is Severity.INFO else finding.severity.value
    text = _escape(f"{finding.path}: {finding.message}\nfix: {finding.fix}".removeprefix(": "))
    file = _escape(report.subject).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} file={file},title={finding.rule}::{text}"


def _escape(text: str) -> str:
    return _clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _render_junit(reports: Sequence[Report]) -> str:
    suites = Element("testsuites", name="wslimg check")
    for report in reports:
        suites.append(_junit_suite(report))
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=False)


def _junit_suite(report: Report) -> Element:
    failing = {Severity.ERROR, Severity.WARNING} if report.strict else {Severity.ERROR}
    by_rule = {
        rule: list(group) for rule, group in groupby(report.findings, key=lambda finding: finding.rule)
    }
    failures = sum(group[0].severity in failing for group in by_rule.values())
    suite = Element(
        "testsuite", name=_clean(report.subject), tests=str(len(by_rule) or 1), failures=str(failures)
    )
    for rule, group in by_rule.items():
        case = SubElement(suite, "testcase", classname=_clean(report.subject), name=rule)
        text = _clean(
            "\n".join(f"{finding.path}: {finding.message} (fix: {finding.fix})" for finding in group)
        )
        SubElement(case, "failure" if group[0].severity in failing else "system-out").text = text
    if not by_rule:
        SubElement(suite, "testcase", classname=_clean(report.subject), name="all rules")
    return suite


FORMATS: dict[str, Callable[[Sequence[Report]], str]] = {
    "text": _render_text,
    "json": _render_json,
    "sarif": _render_sarif,
    "github": _render_github,
    "junit": _render_junit,
}
