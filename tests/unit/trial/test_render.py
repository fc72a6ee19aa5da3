from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from builder.model.finding import Finding, Severity
from builder.trial.render import render_json, render_junit, render_text
from builder.trial.report import Outcome, Stage, TrialReport

ERROR = Finding(
    rule="WSL117", severity=Severity.ERROR, path="/etc/x", message="it failed:\n\x1b[1mlog\x00", fix="mend"
)
REPORT = TrialReport(
    image="example.wsl",
    stages=(
        Stage(name="import", outcome=Outcome.PASSED, seconds=1.25, facts=(("name", "example"),)),
        Stage(name="first launch", outcome=Outcome.FAILED, seconds=0.5, findings=(ERROR,)),
        Stage(name="session", outcome=Outcome.SKIPPED, reason="no shell"),
    ),
)


def test_text_shows_each_stage_the_rule_and_the_fix() -> None:
    assert render_text(REPORT).replace("\x1b[1m", "").replace("\x00", "") == (
        "import        ok (1.2 s)\n"
        "  name: example\n"
        "first launch  FAILED (0.5 s)\n"
        "  error WSL117: /etc/x: it failed:\n"
        "      log\n"
        "    fix: mend\n"
        "session       skipped: no shell\n"
        "example.wsl: failed: first launch (1.8 s)\n"
    )


def test_json_holds_everything() -> None:
    document = json.loads(render_json(REPORT))
    assert document["ok"] is False
    assert [stage["outcome"] for stage in document["stages"]] == ["passed", "failed", "skipped"]
    assert document["stages"][1]["findings"][0] == {
        "rule": "WSL117",
        "severity": "error",
        "path": "/etc/x",
        "message": "it failed:\n\x1b[1mlog\x00",
        "fix": "mend",
    }


def test_junit_is_xml_whatever_programs_print() -> None:
    suite = ET.fromstring(render_junit(REPORT))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    failure = suite.find("testcase[@name='first launch']/failure")
    assert failure is not None
    assert failure.get("message") == "it failed:"
    skipped = suite.find("testcase[@name='session']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "no shell"
