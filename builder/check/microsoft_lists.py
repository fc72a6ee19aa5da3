"""What Microsoft's validator (microsoft/WSL distributions/validate-modern.py) says of a list, offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from builder.check.list_subject import ListSubject
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity

_KEYS = frozenset(("Name", "FriendlyName", "Default", "Amd64Url", "Arm64Url"))
_URLS = ("Amd64Url", "Arm64Url")
Find = Callable[[ListSubject], Iterator[Hit]]


def _entries(subject: ListSubject) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every version as it is written, with its flavor and a place to show."""
    flavors = subject.plain.get("ModernDistributions")
    for flavor, versions in flavors.items() if isinstance(flavors, dict) else ():
        for entry in versions if isinstance(versions, list) else ():
            if isinstance(entry, dict):
                yield f"{flavor}/{entry.get('Name', '?')}", flavor, entry


def _find_missing(key: str) -> Find:
    def find(subject: ListSubject) -> Iterator[Hit]:
        yield from (
            Hit(place, f"has no {key}") for place, _, entry in _entries(subject) if entry.get(key) is None
        )

    return find


def _find_prefix(subject: ListSubject) -> Iterator[Hit]:
    for place, flavor, entry in _entries(subject):
        if entry.get("Name") is not None and not str(entry["Name"]).startswith(flavor):
            yield Hit(place, f"does not begin with {flavor!r}")


def _find_no_url(subject: ListSubject) -> Iterator[Hit]:
    for place, _, entry in _entries(subject):
        if not any(entry.get(key) for key in _URLS):
            yield Hit(place, "has no URL")


def _find_keys(subject: ListSubject) -> Iterator[Hit]:
    for place, _, entry in _entries(subject):
        yield from (Hit(place, f"has the key {key}") for key in sorted(set(entry) - _KEYS))


def _find_defaults(subject: ListSubject) -> Iterator[Hit]:
    flavors = subject.plain.get("ModernDistributions")
    for flavor, versions in flavors.items() if isinstance(flavors, dict) else ():
        entries = (
            [entry for entry in versions if isinstance(entry, dict)] if isinstance(versions, list) else []
        )
        count = sum(bool(entry.get("Default")) for entry in entries)
        if count != 1:
            yield Hit(flavor, f"has {count} defaults, expected 1")


def _archives(subject: ListSubject) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, _, entry in _entries(subject):
        for key in _URLS:
            if isinstance(entry.get(key), dict):
                yield f"{place}/{key}", entry[key]


def _find_suffix(subject: ListSubject) -> Iterator[Hit]:
    for place, archive in _archives(subject):
        if not str(archive.get("Url", "")).endswith(".wsl"):
            yield Hit(place, "its Url does not end in .wsl")


def _find_no_hash(subject: ListSubject) -> Iterator[Hit]:
    yield from (
        Hit(place, "has no Sha256") for place, archive in _archives(subject) if not archive.get("Sha256")
    )


def _row(number: str, severity: Severity, title: str, find: Find) -> Rule[ListSubject]:
    return Rule(
        id=f"MS{number}",
        severity=severity,
        title=title,
        why="Microsoft's list of distributions accepts no entry with errors",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="do as the message says, if the entry is meant for that list",
        find=find,
    )


RULES: tuple[Rule[ListSubject], ...] = (
    _row("01", Severity.ERROR, "No Name", _find_missing("Name")),
    _row("02", Severity.ERROR, "No FriendlyName", _find_missing("FriendlyName")),
    _row("03", Severity.ERROR, "A name without its flavor", _find_prefix),
    _row("04", Severity.ERROR, "No URL", _find_no_url),
    _row("05", Severity.ERROR, "Another key", _find_keys),
    _row("06", Severity.ERROR, "Not exactly one default", _find_defaults),
    _row("07W", Severity.WARNING, "A URL without .wsl", _find_suffix),
    _row("09", Severity.ERROR, "No Sha256", _find_no_hash),
)
