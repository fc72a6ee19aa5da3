"""Rules about distribution lists as a whole, as `wsl.exe` reads them, and all rules about lists."""

from __future__ import annotations

import json
from collections.abc import Iterator

from builder.check import list_addresses, list_entries
from builder.check.list_subject import ListSubject
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity
from builder.wsl.limits import VISIBLE_VERSIONS
from builder.wsl.lists import ARCHITECTURES, ListError
from builder.wsl.lookup import look_up_default, make_available

_CODE = "microsoft/WSL src/windows/common/Distribution.cpp"
_INSTALL = "microsoft/WSL src/windows/common/WslInstall.cpp"


def _find_refused(subject: ListSubject) -> Iterator[Hit]:
    if subject.refusals:
        error = subject.refusals[0]
        yield Hit("", f"{error.code}: {error.message}", error.fix)


def _find_not_ascii(subject: ListSubject) -> Iterator[Hit]:
    if not subject.data.isascii():
        yield Hit("", "has bytes that are not ASCII")


def _find_defaults(subject: ListSubject) -> Iterator[Hit]:
    for flavor in subject.parsed.flavors:
        count = sum(version.default for version in flavor.versions)
        if count != 1:
            yield Hit(flavor.name, f"has {count} default versions, expected 1")


def _find_lost_defaults(subject: ListSubject) -> Iterator[Hit]:
    for flavor in subject.parsed.flavors:
        offered = {a for version in flavor.versions for a in ARCHITECTURES if version.archive(a)}
        for version in (version for version in flavor.versions if version.default):
            for architecture in sorted(offered):
                if not version.archive(architecture):
                    yield Hit(
                        f"{flavor.name}/{version.name}",
                        f"is the default, but has no image for {architecture}",
                    )


def _find_default(subject: ListSubject) -> Iterator[Hit]:
    if not subject.plain or subject.refusals:
        return
    for architecture in ARCHITECTURES:
        available = make_available(subject.parsed, None, architecture)
        offered = any(version.archive(architecture) for _, version in subject.versions())
        if subject.parsed.default is None or not offered:
            continue
        try:
            look_up_default(available)
        except ListError as error:
            yield Hit("Default", f"{error.code} on {architecture}: {error.message}", error.fix)


def _find_invisible(subject: ListSubject) -> Iterator[Hit]:
    for flavor in subject.parsed.flavors:
        for version in flavor.versions[VISIBLE_VERSIONS:]:
            yield Hit(f"{flavor.name}/{version.name}", "is not shown by `wsl --list --online`")


def _find_layout(subject: ListSubject) -> Iterator[Hit]:
    if subject.plain and subject.data != (json.dumps(subject.plain, indent=4) + "\n").encode():
        yield Hit("", "is not laid out as Python's json with indent 4 and a newline at the end")


_WHOLE: tuple[Rule[ListSubject], ...] = (
    Rule(
        id="LST001",
        severity=Severity.ERROR,
        title="wsl.exe refuses the whole list",
        why="neither listing nor installing works, for no entry",
        source=_CODE,
        fix="correct the type",
        find=_find_refused,
    ),
    Rule(
        id="LST002",
        severity=Severity.WARNING,
        title="The list is not plain ASCII",
        why="from a file:// address other characters are garbled, and a byte order mark fails the list",
        source=_CODE,
        fix="write other characters as \\uXXXX, without a byte order mark",
        find=_find_not_ascii,
    ),
    Rule(
        id="LST005",
        severity=Severity.WARNING,
        title="A flavor has not exactly one default",
        why="the name of the flavor is unknown to wsl.exe, or means the first of several",
        source=_CODE,
        fix="set Default on one version",
        find=_find_defaults,
    ),
    Rule(
        id="LST006",
        severity=Severity.WARNING,
        title="The default of a flavor lacks an architecture",
        why="the name of the flavor is unknown there",
        source=_CODE,
        fix="add the image, or make another version the default",
        find=_find_lost_defaults,
    ),
    Rule(
        id="LST011",
        severity=Severity.WARNING,
        title="The default of the list does not exist",
        why="`wsl --install` without a name fails",
        source=_INSTALL,
        fix="name an entry or a flavor",
        find=_find_default,
    ),
    Rule(
        id="LST018",
        severity=Severity.INFO,
        title="A version is not listed",
        why="wsl.exe shows the first four of a flavor",
        source="microsoft/WSL src/windows/common/WslClient.cpp",
        fix="put the ones to be seen first",
        find=_find_invisible,
    ),
    Rule(
        id="LST020",
        severity=Severity.INFO,
        title="The list is not laid out as Microsoft's",
        why="its validator compares the text",
        source="microsoft/WSL distributions/validate.py",
        fix="write it with indent 4 and a newline at the end",
        find=_find_layout,
    ),
)


RULES: tuple[Rule[ListSubject], ...] = tuple(
    sorted((*_WHOLE, *list_entries.RULES, *list_addresses.RULES), key=lambda rule: rule.id)
)
