"""Rules about the entries of distribution lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from builder.check.list_subject import ListSubject
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity
from builder.wsl.lists import ARCHITECTURES
from builder.wsl.lookup import find_defect, look_up, make_available
from builder.wsl.names import doubt_name

_CODE = "microsoft/WSL src/windows/common/Distribution.cpp"
_INSTALL = "microsoft/WSL src/windows/common/WslInstall.cpp"
_KEYS = frozenset(("Name", "FriendlyName", "Default", "Amd64Url", "Arm64Url"))


def _find_defects(subject: ListSubject) -> Iterator[Hit]:
    for flavor, version in subject.versions():
        for architecture in ARCHITECTURES:
            if version.archive(architecture) and (defect := find_defect(version, architecture)):
                yield Hit(f"{flavor}/{version.name}/{architecture}", f"{defect.code}: {defect.message}")


def _find_no_image(subject: ListSubject) -> Iterator[Hit]:
    for flavor, version in subject.versions():
        if not any(map(version.archive, ARCHITECTURES)):
            yield Hit(f"{flavor}/{version.name}", "has no image for any architecture")


def _find_same_names(subject: ListSubject) -> Iterator[Hit]:
    names = [version.name.lower() for _, version in subject.versions()]
    names += [entry.name.lower() for entry in subject.parsed.legacy]
    for name, count in sorted(Counter(names).items()):
        if count > 1:
            yield Hit(name, f"is the name of {count} entries")


def _find_prefix(subject: ListSubject) -> Iterator[Hit]:
    for flavor, version in subject.versions():
        if not version.name.startswith(flavor):
            yield Hit(f"{flavor}/{version.name}", f"does not begin with the flavor {flavor!r}")


def _find_friendly(subject: ListSubject) -> Iterator[Hit]:
    for flavor, version in subject.versions():
        if not version.friendly_name:
            yield Hit(f"{flavor}/{version.name}", "has no FriendlyName")


def _find_doubtful_names(subject: ListSubject) -> Iterator[Hit]:
    for flavor, version in subject.versions():
        yield from (Hit(f"{flavor}/{version.name}", doubt) for doubt in doubt_name(version.name))


def _find_shadowed(subject: ListSubject) -> Iterator[Hit]:
    for architecture in ARCHITECTURES:
        available = make_available(subject.parsed, None, architecture)
        for flavor, version in subject.versions():
            if version.archive(architecture) and version.name:
                found = look_up(available, version.name).entry
                if found.name.lower() != version.name.lower():
                    yield Hit(
                        f"{flavor}/{version.name}", f"that name installs {found.name} on {architecture}"
                    )


def _find_unknown_keys(subject: ListSubject) -> Iterator[Hit]:
    flavors = subject.plain.get("ModernDistributions")
    for flavor, versions in sorted(flavors.items()) if isinstance(flavors, dict) else ():
        for entry in versions if isinstance(versions, list) else ():
            if isinstance(entry, dict) and (unknown := sorted(set(entry) - _KEYS)):
                yield Hit(f"{flavor}/{entry.get('Name')}", f"has the keys {', '.join(unknown)}")


RULES: tuple[Rule[ListSubject], ...] = (
    Rule(
        id="LST003",
        severity=Severity.ERROR,
        title="An entry cannot be installed",
        why="it fails after the whole download",
        source=_INSTALL,
        fix="correct the name or the hash",
        find=_find_defects,
    ),
    Rule(
        id="LST004",
        severity=Severity.WARNING,
        title="An entry has no image",
        why="nobody ever sees it",
        source=_CODE,
        fix="add Amd64Url or Arm64Url, or remove the entry",
        find=_find_no_image,
    ),
    Rule(
        id="LST007",
        severity=Severity.ERROR,
        title="Two entries share a name",
        why="only the first can be installed; case does not matter",
        source=_CODE,
        fix="rename one",
        find=_find_same_names,
    ),
    Rule(
        id="LST008",
        severity=Severity.WARNING,
        title="A name does not begin with its flavor",
        why="Microsoft's list refuses it",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="rename it",
        find=_find_prefix,
    ),
    Rule(
        id="LST009",
        severity=Severity.WARNING,
        title="An entry has no friendly name",
        why="`wsl --list --online` shows a blank",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="add FriendlyName",
        find=_find_friendly,
    ),
    Rule(
        id="LST010",
        severity=Severity.WARNING,
        title="Windows may not like a name",
        why="the download is named after it",
        source="https://learn.microsoft.com/windows/win32/fileio/naming-a-file",
        fix="rename it",
        find=_find_doubtful_names,
    ),
    Rule(
        id="LST012",
        severity=Severity.WARNING,
        title="A name installs something else",
        why="a flavor of the same name comes first",
        source=_CODE,
        fix="rename one",
        find=_find_shadowed,
    ),
    Rule(
        id="LST019",
        severity=Severity.INFO,
        title="An entry has keys that WSL ignores",
        why="Microsoft's list refuses them",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="leave them out if the entry is meant for that list",
        find=_find_unknown_keys,
    ),
)
