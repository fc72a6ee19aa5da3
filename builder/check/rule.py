"""What a rule is: a row with its words, and one function that finds where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from builder.model.finding import Finding, Severity

T = TypeVar("T")
SHOWN = 10
"""How many places of one rule are told one by one; the rest is counted."""


class Hit(NamedTuple):
    """One place where a rule is broken. `fix` replaces the rule's own where it knows better."""

    path: str
    message: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule(Generic[T]):
    """One row. `why` says what happens to whom, `source` where that is known from, `since` our version."""

    id: str
    severity: Severity
    title: str
    why: str
    source: str
    fix: str
    find: Callable[[T], Iterable[Hit]]
    since: str = "0.1.0"


def apply(rules: Iterable[Rule[T]], subject: T) -> Iterator[Finding]:
    """The findings of all rules, in the order of the rules and of their hits."""
    for rule in rules:
        yield from _findings(rule, list(rule.find(subject)))


def _findings(rule: Rule[T], hits: list[Hit]) -> Iterator[Finding]:
    for hit in hits[:SHOWN]:
        yield Finding(
            rule=rule.id,
            severity=rule.severity,
            path=hit.path,
            message=hit.message,
            fix=hit.fix or rule.fix,
        )
    if len(hits) > SHOWN:
        yield Finding(
            rule=rule.id,
            severity=rule.severity,
            path="",
            message=f"and {len(hits) - SHOWN} more places",
            fix=rule.fix,
        )
