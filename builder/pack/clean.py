"""Takes out of a tree what must not ship, and says what and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from builder.core.errors import PackError
from builder.model.entry import Entry, Kind
from builder.pack.clean_rules import RULES, Action, Rule, RuleFinder
from builder.pack.content import read_entry
from builder.pack.memory import with_content
from builder.pack.shadow import redact_hashes
from builder.pack.xattrs import ship_xattrs
from builder.tar.header import printable

_MAX_SHADOW = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanSettings:
    """`keep_password_hashes` for images with a password that is meant to be known."""

    keep_password_hashes: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """`size` bytes at `path` (absolute, printable) were taken out because of `why`: of its content, or of an
    extended attribute."""

    path: str
    why: str
    size: int
    is_attribute: bool = False


Report = Callable[[Removed], None]


def clean_tree(entries: Iterable[Entry], settings: CleanSettings, report: Report) -> Iterator[Entry]:
    """`entries` (sorted) without what `clean_rules` names; `report` hears of each removal as it happens.

    When the first name of a file is taken out, the next name that stays becomes its carrier.
    """
    rules = [rule for rule in RULES if not (rule.action is Action.REDACT and settings.keep_password_hashes)]
    finder, links = _TreeRules(rules), _Links()
    for entry in drop_xattrs(entries, report):
        rule = finder.find(entry)
        kept = entry if rule is None else _apply(rule, entry)
        if rule is not None and kept is not entry:
            report(
                Removed(
                    path=printable(entry.path), why=rule.why, size=entry.size - (kept.size if kept else 0)
                )
            )
            links.drop(entry)
        if kept is not None:
            yield links.keep(kept)


def drop_xattrs(entries: Iterable[Entry], report: Report) -> Iterator[Entry]:
    """`entries` without the extended attributes that cannot ship; `report` hears of each."""
    for entry in entries:
        if entry.xattrs:
            shipped, dropped = ship_xattrs(entry)
            for name, value, why in dropped:
                path = printable(entry.path)
                reason = f"{os.fsdecode(name)}: {why}"
                report(Removed(path=path, why=reason, size=len(value), is_attribute=True))
            yield shipped
        else:
            yield entry


class _TreeRules:
    """The rule of each entry of a sorted tree; what lies below a dropped directory is dropped with it."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._finder = RuleFinder(rules)
        self._dropped: tuple[bytes, Rule] | None = None

    def find(self, entry: Entry) -> Rule | None:
        if self._dropped and entry.path.startswith(self._dropped[0]):
            return self._dropped[1]
        rule = self._finder.find(entry.path)
        if rule and rule.action is Action.DROP and entry.kind is Kind.DIRECTORY:
            self._dropped = entry.path + b"/", rule
        return rule


class _Links:
    """Elects a new carrier for a file whose first name was taken out."""

    def __init__(self) -> None:
        self._gone: dict[bytes, Entry] = {}
        self._carriers: dict[bytes, bytes] = {}

    def drop(self, entry: Entry) -> None:
        if entry.kind not in (Kind.DIRECTORY, Kind.HARDLINK):
            self._gone[entry.path] = entry

    def keep(self, entry: Entry) -> Entry:
        if entry.kind is not Kind.HARDLINK:
            return entry
        if entry.target in self._gone:
            self._carriers[entry.target] = entry.path
            return self._gone.pop(entry.target)._replace(path=entry.path)
        return entry._replace(target=self._carriers.get(entry.target, entry.target))


def _apply(rule: Rule, entry: Entry) -> Entry | None:
    """What stays of `entry`: nothing, itself, or a file of its own with other content. Raises PackError."""
    match rule.action:
        case Action.DROP:
            return None
        case Action.DROP_FILES:
            return entry if entry.kind is Kind.DIRECTORY else None
        case Action.EMPTY:
            return _empty(entry)
        case Action.REDACT:
            return _redact(entry)


def _empty(entry: Entry) -> Entry:
    if entry.kind is Kind.HARDLINK or (entry.kind is Kind.FILE and entry.size):
        return with_content(entry._replace(kind=Kind.FILE, target=b""), b"")
    return entry


def _redact(entry: Entry) -> Entry:
    if entry.kind is Kind.HARDLINK or entry.size > _MAX_SHADOW:
        raise PackError(
            "may hold password hashes and is a second name of another file, expected a file of its own"
            if entry.kind is Kind.HARDLINK
            else f"has {entry.size} bytes, expected at most {_MAX_SHADOW} in a list of passwords",
            where=printable(entry.path),
            fix="repair it in the root file system, or ship it as it is: without --fix, or in a recipe with "
            "keep_password_hashes",
        )
    if entry.kind is not Kind.FILE or not entry.size:
        return entry
    text, count = redact_hashes(read_entry(entry))
    return with_content(entry, text) if count else entry
