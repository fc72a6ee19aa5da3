"""What a trial found out, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from builder.model.finding import Finding, Severity


class Outcome(Enum):
    """How a stage ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage of a trial. `facts` are (label, value) pairs worth knowing, `seconds` how long it took.

    A finding's `rule` is the check that tells the same without a trial, empty where there is none. The stage
    has failed when one of its findings is an ERROR. `reason` says why it was skipped.
    """

    name: str
    outcome: Outcome
    seconds: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialReport:
    """All stages, in the order in which WSL goes through them."""

    image: str
    stages: tuple[Stage, ...]

    @property
    def ok(self) -> bool:
        """Whether no stage failed."""
        return all(stage.outcome is not Outcome.FAILED for stage in self.stages)


@dataclass(kw_only=True)
class StageLog:
    """Takes down what a stage finds while it runs."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    skipped: str = ""

    def fact(self, label: str, value: object) -> None:
        """Something worth knowing."""
        self.facts.append((label, str(value)))

    def fail(self, message: str, *, path: str = "", fix: str = "", rule: str = "") -> None:
        """Something that breaks what WSL does."""
        self._add(Severity.ERROR, message, path, fix, rule)

    def warn(self, message: str, *, path: str = "", fix: str = "", rule: str = "") -> None:
        """Something that a user will notice."""
        self._add(Severity.WARNING, message, path, fix, rule)

    def inform(self, message: str, *, path: str = "", fix: str = "", rule: str = "") -> None:
        """Something that is so here and not in WSL, or harmless."""
        self._add(Severity.INFO, message, path, fix, rule)

    @property
    def failed(self) -> bool:
        """Whether something broke so far."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def _add(self, severity: Severity, message: str, path: str, fix: str, rule: str) -> None:
        self.findings.append(Finding(rule=rule, severity=severity, path=path, message=message, fix=fix))


@dataclass(kw_only=True)
class TrialLog:
    """Collects the stages of one trial."""

    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[StageLog]:
        """The log of the stage `name`, which becomes part of the report when the block ends well."""
        log, start = StageLog(), time.monotonic()
        yield log
        self.stages.append(
            Stage(
                name=name,
                outcome=_outcome(log),
                seconds=round(time.monotonic() - start, 2),
                facts=tuple(log.facts),
                findings=tuple(log.findings),
                reason=log.skipped,
            )
        )

    def skip(self, name: str, reason: str) -> None:
        """The stage `name` does not take place."""
        self.stages.append(Stage(name=name, outcome=Outcome.SKIPPED, reason=reason))

    @property
    def failed(self) -> bool:
        """Whether a stage failed so far."""
        return any(stage.outcome is Outcome.FAILED for stage in self.stages)


def _outcome(log: StageLog) -> Outcome:
    if log.failed:
        return Outcome.FAILED
    return Outcome.SKIPPED if log.skipped else Outcome.PASSED
