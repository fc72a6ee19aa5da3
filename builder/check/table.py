"""All rules, in the order of their ids."""

from __future__ import annotations

from builder.check import (
    accounts,
    appearance,
    archive,
    boot,
    company,
    configuration,
    files,
    lists,
    microsoft,
    microsoft_lists,
    secrets,
    settings,
    weight,
)
from builder.check.image import Image
from builder.check.lists import ListSubject
from builder.check.rule import Rule

SYSTEM_RULES: tuple[Rule[Image], ...] = (
    *configuration.RULES,
    *settings.RULES,
    *accounts.RULES,
    *boot.RULES,
    *files.RULES,
    *secrets.RULES,
    *appearance.RULES,
    *weight.RULES,
    *company.RULES,
)
"""What presumes that there is a root file system."""

IMAGE_RULES: tuple[Rule[Image], ...] = (*archive.RULES, *SYSTEM_RULES)
MICROSOFT_RULES: tuple[Rule[Image], ...] = (archive.RULES[0], *microsoft.RULES)
LIST_RULES: tuple[Rule[ListSubject], ...] = lists.RULES
MICROSOFT_LIST_RULES: tuple[Rule[ListSubject], ...] = microsoft_lists.RULES


def all_rules() -> tuple[Rule[Image] | Rule[ListSubject], ...]:
    """Every row there is, of every profile."""
    return (*IMAGE_RULES, *LIST_RULES, *MICROSOFT_LIST_RULES, *microsoft.RULES)


def find_rule(identifier: str) -> Rule[Image] | Rule[ListSubject] | None:
    """The row with that id, whatever its case."""
    return next((rule for rule in all_rules() if rule.id == identifier.upper()), None)
