"""Shows a trial: as text, JSON and JUnit."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

from builder.model.finding import Finding, Severity
from builder.trial.report import Outcome, Stage, TrialReport

_MARKS = {Outcome.PASSED: "ok", Outcome.FAILED: "FAILED", Outcome.SKIPPED: "skipped"}
_NOT_XML = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_text(report: TrialReport) -> str:
    """The stages with their facts, for people; ends with a line that sums up."""
    lines = [line for stage in report.stages for line in _stage_lines(stage)]
    failed = [stage.name for stage in report.stages if stage.outcome is Outcome.FAILED]
    seconds = sum(stage.seconds for stage in report.stages)
    verdict = f"failed: {', '.join(failed)}" if failed else "WSL would import and start it"
    return "\n".join([*lines, f"{report.image}: {verdict} ({seconds:.1f} s)", ""])


def _stage_lines(stage: Stage) -> list[str]:
    head = f"{stage.name:<13} {_MARKS[stage.outcome]}"
    if stage.reason and stage.outcome is Outcome.SKIPPED:
        head += f": {stage.reason}"
    elif stage.outcome is not Outcome.SKIPPED:
        head += f" ({stage.seconds:.1f} s)"
    facts = [f"  {label}: {_indent(value)}" for label, value in stage.facts]
    return [head, *facts, *(line for finding in stage.findings for line in _finding_lines(finding))]


def _finding_lines(finding: Finding) -> list[str]:
    rule = f" {finding.rule}" if finding.rule else ""
    place = f"{finding.path}: " if finding.path else ""
    lines = [f"  {finding.severity.value}{rule}: {place}{_indent(finding.message)}"]
    if finding.fix:
        lines.append(f"    fix: {_indent(finding.fix)}")
    return lines


def _indent(text: str) -> str:
    return text.replace("\n", "\n      ")


def render_json(report: TrialReport) -> str:
    """`{"ok", "image", "stages": [{"name", "outcome", "seconds", "reason", "facts", "findings"}]}`."""
    document = {
        "ok": report.ok,
        "image": report.image,
        "stages": [
            {
                "name": stage.name,
                "outcome": stage.outcome.value,
                "seconds": stage.seconds,
                "reason": stage.reason,
                "facts": [{"label": label, "value": value} for label, value in stage.facts],
                "findings": [finding.as_dict() for finding in stage.findings],
            }
            for stage in report.stages
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def render_junit(report: TrialReport) -> str:
    """One test suite with a test case for each stage, as GitLab, Jenkins and Azure Pipelines read it."""
    count = {outcome: str(sum(s.outcome is outcome for s in report.stages)) for outcome in Outcome}
    suite = ET.Element(
        "testsuite",
        name=f"wslimg try {report.image}",
        tests=str(len(report.stages)),
        failures=count[Outcome.FAILED],
        skipped=count[Outcome.SKIPPED],
        errors="0",
        time=f"{sum(stage.seconds for stage in report.stages):.2f}",
    )
    for stage in report.stages:
        suite.append(_test_case(stage, report.image))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _test_case(stage: Stage, image: str) -> ET.Element:
    case = ET.Element("testcase", classname=_xml(image), name=stage.name, time=f"{stage.seconds:.2f}")
    errors = [finding for finding in stage.findings if finding.severity is Severity.ERROR]
    text = _xml("\n".join(line for finding in stage.findings for line in _finding_lines(finding)))
    if stage.outcome is Outcome.SKIPPED:
        ET.SubElement(case, "skipped", message=_xml(stage.reason))
    elif errors:
        failure = ET.SubElement(case, "failure", message=_xml(errors[0].message.split("\n", 1)[0]))
        failure.text = text
    output = ET.SubElement(case, "system-out")
    output.text = _xml("\n".join(f"{label}: {value}" for label, value in stage.facts) + "\n" + text)
    return case


def _xml(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("?", text)
