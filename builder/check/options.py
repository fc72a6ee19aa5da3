"""What a check is told, and what it answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from builder.core.errors import UsageError
from builder.model.finding import Finding, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:  # pydantic is slow to start and large
    from builder.check.policy import Policy

OLDEST_WSL = (2, 4, 4)
"""The first version that imports `.wsl` files; what a published image should run on."""


class Profile(Enum):
    """Whose rules: ours, or exactly those of Microsoft's validator (distributions/validate-modern.py)."""

    DEFAULT = "default"
    MICROSOFT = "microsoft"


@dataclass(frozen=True, kw_only=True, slots=True)
class Disabled:
    """A rule that does not count, and why."""

    rule: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOptions:
    """`architecture` is Debian's name, None to take that of the image's /bin/sh. `packages` are those of an
    inventory made elsewhere; without it dpkg, apk and pacman databases are read. `now` is in seconds since
    the epoch, for what expires; None leaves such rules out."""

    profile: Profile = Profile.DEFAULT
    strict: bool = False
    errors_only: bool = False
    min_wsl: tuple[int, ...] = OLDEST_WSL
    wsl1: bool = False
    disabled: tuple[Disabled, ...] = ()
    architecture: str | None = None
    policy: Policy | None = None
    packages: frozenset[str] | None = None
    now: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The findings about `subject`, the worst first, and those that disabled rules would have given."""

    subject: str
    findings: tuple[Finding, ...]
    disabled: tuple[Finding, ...] = ()
    strict: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing fails: no error, and with `strict` no warning either."""
        failing = (Severity.ERROR, Severity.WARNING) if self.strict else (Severity.ERROR,)
        return not any(finding.severity in failing for finding in self.findings)

    def count(self, severity: Severity) -> int:
        """How many findings of `severity` there are."""
        return Counter(finding.severity for finding in self.findings)[severity]


_ORDER = {severity: place for place, severity in enumerate(Severity)}


def make_report(subject: str, findings: tuple[Finding, ...], options: CheckOptions) -> Report:
    """Sort the findings and take out the rules that are disabled."""
    silent = {row.rule.upper() for row in options.disabled}
    ranked = sorted(findings, key=lambda finding: (_ORDER[finding.severity], finding.rule))
    if options.errors_only:
        ranked = [finding for finding in ranked if finding.severity is Severity.ERROR]
    return Report(
        subject=subject,
        findings=tuple(finding for finding in ranked if finding.rule not in silent),
        disabled=tuple(finding for finding in ranked if finding.rule in silent),
        strict=options.strict,
    )


def parse_version(text: str) -> tuple[int, ...]:
    """`2.4.4` as numbers. Raises UsageError."""
    parts = text.split(".")
    if not all(part.isdecimal() for part in parts) or len(parts) < 2:
        raise UsageError(f"{text!r} is no version of WSL", fix="write it as `wsl --version` does, e.g. 2.4.4")
    return tuple(map(int, parts))
