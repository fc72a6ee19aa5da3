"""Feeds, held against RFC 4287."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.model.catalog import Settings
from builder.publish.channel import describe_channel
from builder.publish.site.describe import Site, describe_site
from builder.publish.site.feed import describe_feed
from builder.templating import render_page
from tests.e2e.site_sample import write_sample
from tests.unit.publish.catalogs import channel, mark, publication

ATOM = "{http://www.w3.org/2005/Atom}"
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_ONCE = {"id", "title", "updated"}
_AT_MOST_ONCE = {
    "generator",
    "icon",
    "logo",
    "rights",
    "subtitle",
    "published",
    "summary",
    "content",
    "source",
}
_ANY = {"author", "category", "contributor", "link"}


def judge(data: bytes) -> ElementTree.Element:
    """The feed in `data`, if RFC 4287 (4.1.1, 4.1.2, 3.2, 3.3, 4.2) has nothing against it."""
    feed = ElementTree.fromstring(data)
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    for element in (feed, *entries):
        counts = Counter(child.tag.removeprefix(ATOM) for child in element)
        assert all(counts[name] == 1 for name in _ONCE)
        assert all(counts[name] <= 1 for name in _AT_MOST_ONCE)
        assert counts.keys() <= _ONCE | _AT_MOST_ONCE | _ANY | {"entry"}
        assert counts["author"] >= 1
        for author in element.findall(f"{ATOM}author"):
            assert [child.tag for child in author] == [f"{ATOM}name"]
        assert urlsplit(text(element, "id")).scheme
        for name in ("updated", "published"):
            assert element.find(f"{ATOM}{name}") is None or _DATE.fullmatch(text(element, name))
        links = element.findall(f"{ATOM}link")
        assert all(link.get("href") for link in links)
        kinds = [(link.get("rel", "alternate"), link.get("type"), link.get("hreflang")) for link in links]
        assert len(set(kinds)) == len(kinds)
        assert any(kind[0] == "alternate" for kind in kinds)
    ids = [text(entry, "id") for entry in entries]
    assert len(set(ids)) == len(ids)
    return feed


def text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{ATOM}{name}") or ""


def render(site: Site, name: str = "stable") -> bytes:
    return render_page("site/feed.xml.j2", {"feed": describe_feed(site, name)}).encode()


def site(*publications: object, base_url: str = "https://wsl.example.com/c", **fields: object) -> Site:
    state = channel(*publications, **fields)  # type: ignore[arg-type]  # passed on
    return describe_site(Settings(base_url=base_url), [describe_channel(state)], beside=True)


def test_the_feeds_of_a_catalog_are_valid_and_lead_to_its_pages(tmp_path: Path):
    write_sample(tmp_path)
    for name in ("stable", "beta"):
        path = tmp_path / name / "feed.xml"
        feed = judge(path.read_bytes())
        base = "https://wsl.example.com/catalog/"
        for link in feed.iter(f"{ATOM}link"):
            assert (tmp_path / link.attrib["href"].removeprefix(base)).is_file()
    assert len(judge((tmp_path / "stable/feed.xml").read_bytes()).findall(f"{ATOM}entry")) == 18


def test_an_empty_channel_has_a_valid_feed():
    assert judge(render(site())).findall(f"{ATOM}entry") == []


def test_a_feed_begins_with_what_was_decided_last():
    feed = judge(render(site(publication("2"), publication("1"), publication("3"), marks=(
        mark("deprecated", "1", use="dev").model_copy(update={"marked": "2026-05-05T00:00:00Z"}),
    ))))  # fmt: skip
    first = feed.findall(f"{ATOM}entry")[0]
    assert text(first, "title") == "The dev 1 (deprecated)"
    assert "install dev instead" in text(first, "summary")
    assert text(first, "updated") == text(feed, "updated") == "2026-05-05T00:00:00Z"


def test_an_entry_keeps_its_id_whatever_is_decided():
    before = judge(render(site(publication("1"))))
    after = judge(render(site(publication("1", friendly_name="Other"), marks=(mark("withdrawn", "1"),))))
    ids = [text(one.findall(f"{ATOM}entry")[0], "id") for one in (before, after)]
    assert ids[0] == ids[1] and ids[0].startswith("urn:uuid:")


def test_a_catalog_without_an_address_on_the_web_has_relative_links():
    feed = judge(render(site(publication("1"), base_url="file://///server/wsl")))
    links = [link.attrib["href"] for link in feed.iter(f"{ATOM}link")]
    assert [urljoin("file:///wsl/stable/feed.xml", link) for link in links] == [
        "file:///wsl/stable/feed.xml", "file:///wsl/index.html", "file:///wsl/site/versions/dev/1.html",
    ]  # fmt: skip


def test_only_the_newest_fifty_are_news():
    feed = judge(render(site(*(publication(f"{number}") for number in range(60)))))
    assert len(feed.findall(f"{ATOM}entry")) == 50


@settings(max_examples=50, deadline=None)
@given(words=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_no_text_breaks_a_feed(words: str):
    details = {"owner": words, "changelog": words}
    feed = judge(render(site(publication("1", friendly_name=words, description=words, details=details))))
    entry = feed.findall(f"{ATOM}entry")[0]
    kept = re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", words)
    kept = kept.replace("\r\n", "\n").replace("\r", "\n")
    assert text(entry, "title") == f"{kept} 1"


def test_the_judge_notices_what_the_rfc_forbids():
    good = render(site(publication("1"))).decode()
    for wrong in (
        good.replace("<updated>", "<updated>on "),
        good.replace("<author>", "<person>").replace("</author>", "</person>"),
        re.sub("<id>.*?</id>", "<id>dev</id>", good),
        good.replace("<title>", "<title/><title>"),
    ):
        with pytest.raises(AssertionError):
            judge(wrong.encode())
