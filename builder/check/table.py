"""All rules, in the order of their ids."""

from __future__ import annotations

from builder.check import (
    accounts,
    appearance,
    archive,
    boot,
    company,
    configuration,
    contents,
    homes,
    identity,
    lists,
    locales,
    logins,
    members,
    microsoft,
    microsoft_lists,
    passwords,
    programs,
    secrets,
    settings,
    start,
    weight,
)
from builder.check.image import Image
from builder.check.list_subject import ListSubject
from builder.check.rule import Rule

_ARCHIVE = (archive, members)
_SYSTEM = (
    configuration,
    settings,
    accounts,
    passwords,
    homes,
    boot,
    logins,
    programs,
    start,
    identity,
    locales,
    contents,
    secrets,
    appearance,
    weight,
)
"""The modules whose rules presume that there is a root file system; those of company policy do, too."""


def _join(*groups: tuple[Rule[Image], ...]) -> tuple[Rule[Image], ...]:
    return tuple(sorted((rule for group in groups for rule in group), key=lambda rule: rule.id))


ARCHIVE_RULES = _join(*(module.RULES for module in _ARCHIVE))
IMAGE_RULES = (*_join(ARCHIVE_RULES, *(module.RULES for module in _SYSTEM)), *company.RULES)
MICROSOFT_RULES = (ARCHIVE_RULES[0], *microsoft.RULES)
LIST_RULES: tuple[Rule[ListSubject], ...] = lists.RULES
MICROSOFT_LIST_RULES: tuple[Rule[ListSubject], ...] = microsoft_lists.RULES


def all_rules() -> tuple[Rule[Image] | Rule[ListSubject], ...]:
    """Every row there is, of every profile."""
    return (*IMAGE_RULES, *LIST_RULES, *MICROSOFT_LIST_RULES, *microsoft.RULES)


def find_rule(identifier: str) -> Rule[Image] | Rule[ListSubject] | None:
    """The row with that id, whatever its case."""
    return next((rule for rule in all_rules() if rule.id == identifier.upper()), None)
