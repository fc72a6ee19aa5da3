"""Rules about the addresses in distribution lists."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from builder.check.list_subject import ListSubject
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity
from builder.wsl.lookup import doubt_file_url

_INSTALL = "microsoft/WSL src/windows/common/WslInstall.cpp"
_MOVING = ("latest", "current", "nightly", "main", "master")


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


RULES: tuple[Rule[ListSubject], ...] = (
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
)
