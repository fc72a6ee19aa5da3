"""Links lead somewhere, the README lists what there is, and no page tells of somebody's machine."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from builder.cli.main import wslimg
from tests.docs.documents import ROOT, anchors, links, pages

PAGES = pages()
FORBIDDEN = (r"/work/", r"/root/", r"/home/(?!NAME|dev|anna)\w", r"/tmp/\w+/", r"\bTODO\b", r"\bFIXME\b")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_resolves(page):
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_linked_from_another():
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)}
    readme = ROOT / "README.md"
    assert [name(page) for page in PAGES if page not in linked and page != readme] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_tells_of_the_machine_it_was_written_on(page):
    text = page.read_text(encoding="utf-8")
    assert [pattern for pattern in FORBIDDEN if re.search(pattern, text)] == []


def test_the_readme_lists_the_commands_that_there_are():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[?`wslimg ([a-z]+)[^|]*\|", text, re.MULTILINE)
    assert listed == wslimg.list_commands(click.Context(wslimg))
