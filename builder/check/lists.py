"""Rules about distribution lists, as `wsl.exe` reads them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from builder.check.rule import Hit, Rule
from builder.model.finding import Severity
from builder.wsl.limits import VISIBLE_VERSIONS
from builder.wsl.lists import ARCHITECTURES, DistributionList, ListError, Version, parse_list
from builder.wsl.lookup import doubt_file_url, find_defect, look_up, look_up_default, make_available
from builder.wsl.names import doubt_name

_CODE = "microsoft/WSL src/windows/common/Distribution.cpp"
_INSTALL = "microsoft/WSL src/windows/common/WslInstall.cpp"
_MOVING = ("latest", "current", "nightly", "main", "master")


class ListSubject:
    """A distribution list: its bytes, and what `wsl.exe` makes of them; empty where it refuses them."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def refusals(self) -> tuple[ListError, ...]:
        """Why it is refused when fetched, and when read from a file:// address."""
        found = []
        for local in (False, True):
            try:
                parse_list(self.data, local=local)
            except ListError as error:
                found.append(error)
        return tuple(found)

    @cached_property
    def parsed(self) -> DistributionList:
        """The list of all architectures."""
        try:
            return parse_list(self.data, local=False)
        except ListError:
            return DistributionList()

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The document as plain JSON, {} where it is none."""
        try:
            value = json.loads(self.data.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def versions(self) -> Iterator[tuple[str, Version]]:
        """Every version with its flavor."""
        for flavor in self.parsed.flavors:
            for version in flavor.versions:
                yield flavor.name, version

    def urls(self) -> Iterator[tuple[str, str]]:
        """Every address with the place it stands at."""
        for flavor, version in self.versions():
            for architecture in ARCHITECTURES:
                if archive := version.archive(architecture):
                    yield f"{flavor}/{version.name}/{architecture}", archive.url


def looks_like_list(start: bytes) -> bool:
    """Whether a file that begins with `start` is JSON and no archive."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1] in (b"{", b"[")


def _find_refused(subject: ListSubject) -> Iterator[Hit]:
    if subject.refusals:
        error = subject.refusals[0]
        yield Hit("", f"{error.code}: {error.message}", error.fix)


def _find_not_ascii(subject: ListSubject) -> Iterator[Hit]:
    if not subject.data.isascii():
        yield Hit("", "has bytes that are not ASCII")


def _find_defects(subject: ListSubject) -> Iterator[Hit]:
    for flavor, version in subject.versions():
        for architecture in ARCHITECTURES:
            if version.archive(architecture) and (defect := find_defect(version, architecture)):
                yield Hit(f"{flavor}/{version.name}/{architecture}", f"{defect.code}: {defect.message}")


def _find_no_image(subject: ListSubject) -> Iterator[Hit]:
    for flavor, version in subject.versions():
        if not any(map(version.archive, ARCHITECTURES)):
            yield Hit(f"{flavor}/{version.name}", "has no image for any architecture")


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


def _find_suffix(subject: ListSubject) -> Iterator[Hit]:
    for place, url in subject.urls():
        if not urlsplit(url).path.endswith(".wsl"):
            yield Hit(place, f"{url} does not end in .wsl")


def _find_file_urls(subject: ListSubject) -> Iterator[Hit]:
    for place, url in subject.urls():
        if doubt := doubt_file_url(url):
            yield Hit(place, doubt)


def _find_insecure(subject: ListSubject) -> Iterator[Hit]:
    yield from (
        Hit(place, f"{url} is not encrypted") for place, url in subject.urls() if url.startswith("http://")
    )


def _find_moving(subject: ListSubject) -> Iterator[Hit]:
    for place, url in subject.urls():
        if any(part in _MOVING for part in urlsplit(url).path.lower().split("/")):
            yield Hit(place, f"{url} seems to lead to another file every time")


def _find_queries(subject: ListSubject) -> Iterator[Hit]:
    yield from (Hit(place, f"{url} has a query") for place, url in subject.urls() if urlsplit(url).query)


def _find_invisible(subject: ListSubject) -> Iterator[Hit]:
    for flavor in subject.parsed.flavors:
        for version in flavor.versions[VISIBLE_VERSIONS:]:
            yield Hit(f"{flavor.name}/{version.name}", "is not shown by `wsl --list --online`")


_KEYS = frozenset(("Name", "FriendlyName", "Default", "Amd64Url", "Arm64Url"))


def _find_unknown_keys(subject: ListSubject) -> Iterator[Hit]:
    flavors = subject.plain.get("ModernDistributions")
    for flavor, versions in sorted(flavors.items()) if isinstance(flavors, dict) else ():
        for entry in versions if isinstance(versions, list) else ():
            if isinstance(entry, dict) and (unknown := sorted(set(entry) - _KEYS)):
                yield Hit(f"{flavor}/{entry.get('Name')}", f"has the keys {', '.join(unknown)}")


def _find_layout(subject: ListSubject) -> Iterator[Hit]:
    if subject.plain and subject.data != (json.dumps(subject.plain, indent=4) + "\n").encode():
        yield Hit("", "is not laid out as Python's json with indent 4 and a newline at the end")


RULES: tuple[Rule[ListSubject], ...] = (
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
        id="LST011",
        severity=Severity.WARNING,
        title="The default of the list does not exist",
        why="`wsl --install` without a name fails",
        source=_INSTALL,
        fix="name an entry or a flavor",
        find=_find_default,
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
        id="LST013",
        severity=Severity.WARNING,
        title="An address does not end in .wsl",
        why="Microsoft's list warns",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="rename the file",
        find=_find_suffix,
    ),
    Rule(
        id="LST014",
        severity=Severity.WARNING,
        title="A file:// address leads elsewhere",
        why="wsl.exe is no URL parser",
        source="microsoft/WSL src/windows/common/filesystem.cpp:TryGetPathFromFileUrl",
        fix="write it as the message says",
        find=_find_file_urls,
    ),
    Rule(
        id="LST015",
        severity=Severity.WARNING,
        title="A download is not encrypted",
        why="anyone in between sees it; the hash protects only if the list is genuine",
        source="RFC 9110",
        fix="use https",
        find=_find_insecure,
    ),
    Rule(
        id="LST016",
        severity=Severity.WARNING,
        title="An address seems to move",
        why="a file that changes before the list does fails with TRUST_E_BAD_DIGEST (microsoft/WSL#41279)",
        source=_INSTALL,
        fix="publish each file under a name of its own, for ever",
        find=_find_moving,
    ),
    Rule(
        id="LST017",
        severity=Severity.INFO,
        title="An address has a query",
        why="WSL before 2.5.10 makes a broken file name of it",
        source="https://github.com/microsoft/WSL/releases/tag/2.5.10",
        fix="use an address without",
        find=_find_queries,
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
        id="LST019",
        severity=Severity.INFO,
        title="An entry has keys that WSL ignores",
        why="Microsoft's list refuses them",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="leave them out if the entry is meant for that list",
        find=_find_unknown_keys,
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
