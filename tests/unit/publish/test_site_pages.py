"""The pages of a catalog: complete, self-contained, and safe whatever is published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.core.events import discard
from builder.publish.directory import DirectoryTarget
from builder.publish.site.derive import Places, derive_site
from builder.publish.site.explain import ADVICE
from builder.publish.site.sizes import format_growth, format_size
from builder.wsl.codes import CODES
from tests.e2e.site_sample import write_sample
from tests.unit.publish.catalogs import BASE, mark, publication
from tests.unit.publish.html import Page, pages_of
from tests.unit.publish.sites import derive, new_target, with_packages, write_large, write_lists

HOSTILE = """</title><script>alert("1")</script><img src=x onerror='alert(2)'>&amp;`${3}` {{ 4 }}"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder)
    return folder


@pytest.fixture(scope="module")
def pages(sample: Path) -> list[Page]:
    return pages_of(sample)


def page(folder: Path, path: str = "index.html") -> Page:
    return Page(folder / path)


def test_every_link_and_file_of_every_page_is_there(pages: list[Page], sample: Path):
    anchors = {one.path: set(one.ids) for one in pages}
    for one in pages:
        for link in (*one.links, *one.loaded):
            parts = urlsplit(link)
            if parts.scheme in ("https", "mailto", "data"):
                continue
            target = (one.path.parent / unquote(parts.path)).resolve() if parts.path else one.path
            assert target.is_file() and target.is_relative_to(sample), (one.path, link)
            assert (
                not parts.fragment or parts.fragment.startswith("q=") or parts.fragment in anchors[target]
            ), link


def test_pages_load_nothing_but_what_lies_beside_them(pages: list[Page]):
    for one in pages:
        assert {urlsplit(link).scheme for link in one.loaded} <= {"", "data"}
        scripts = [attributes for name, attributes in one.elements if name == "script"]
        assert [set(attributes) for attributes in scripts] == [{"src", "defer"}]
        assert not [name for name, attributes in one.elements if {"style", "onclick"} & attributes.keys()]


def test_pages_have_what_a_screen_reader_needs(pages: list[Page]):
    for one in pages:
        assert [one.count(tag) for tag in ("h1", "main", "header", "footer", "title")] == [1] * 5, one.path
        assert len(set(one.ids)) == len(one.ids), one.path
        assert ("html", {"lang": "en"}) in one.elements
        labels = {attributes.get("for") for name, attributes in one.elements if name == "label"}
        inputs = {attributes.get("id") for name, attributes in one.elements if name == "input"}
        assert inputs <= labels


def test_a_card_says_what_people_ask(sample: Path):
    text = page(sample).text
    for told in (
        "Debian 13 for developers", "Platform engineering", "debian@example.com", "2028-06-30", "2026.11.1",
        "2026.12.0-rc1", "211 MB", "wsl --install debian", "Deprecated. Use firmware instead.",
    ):  # fmt: skip
        assert told in text, told
    assert "wsl --install embedded" not in text


def test_a_version_tells_what_changed_and_how_to_check_it(sample: Path):
    one = page(sample, "site/versions/debian/2026.11.1.html")
    for told in (
        "4 changed", "0 added", "1 removed", "\N{MINUS SIGN}3.00 MB", "1:2.47.2-0.1", "1:2.47.3-0",
        "wsl --install debian-2026.11.1", "Get-FileHash", "ssh-keygen -Y verify", "git.example.com/wsl",
    ):  # fmt: skip
        assert told in one.text, told
    assert any(link.endswith(".inventory.json.zst") for link in one.links)


def test_a_command_is_that_of_the_channel_that_a_machine_is_set_to(tmp_path: Path):
    target = new_target(tmp_path)
    old, new = publication("1"), publication("2")
    write_lists(target, {"stable": [old], "beta": [old, new]})
    derive(target, "stable", "beta")
    both = page(tmp_path, "site/versions/dev/1.html").text.split()
    assert "In channel stable: wsl --install dev In channel beta: wsl --install dev-1" in " ".join(both)
    only_beta = " ".join(page(tmp_path, "site/versions/dev/2.html").text.split())
    assert "In channel beta: wsl --install dev To get" in only_beta and "stable" not in only_beta


def test_a_withdrawn_version_is_not_offered_by_name(sample: Path):
    one = page(sample, "site/versions/payments/2026.10.1.html")
    assert "Withdrawn." in one.text
    assert "wsl --install payments" not in one.text
    assert "wsl --install --from-file" in one.text


def test_the_help_page_explains_every_code_of_wsl(sample: Path):
    one = page(sample, "site/help.html")
    for code in CODES:
        assert code.hex in one.ids and code.name in one.text
        assert code.when[1:].replace("`", "") in one.text and code.fix[1:].replace("`", "") in one.text
    assert "is provided by an override manifest" in one.text
    assert {code.name for code in CODES} >= ADVICE.keys()
    assert f'/d "{BASE}/beta/DistributionInfo.append.json"' in one.text


def hostile(folder: Path, text: str) -> list[Page]:
    """Pages of a catalog in which everything that is free text is `text`."""
    target = new_target(folder, title=text)
    details = {"owner": text, "support": f"javascript:{text}", "changelog": f"https://example.com/{text}",
               "end_of_life": text, text or "x": text}  # fmt: skip
    both = [
        publication(version, name=f"dev-{text}", friendly_name=text, description=text, details=details)
        for version in ("1", "2")
    ]
    both = [with_packages(target, one, {f"p{text}{one.version}": text}) for one in both]
    write_lists(target, {"stable": both}, {"stable": (mark("deprecated", "1", use=text),)})
    derive(target, "stable")
    return pages_of(folder)


def test_hostile_text_stays_text(tmp_path: Path):
    for one in hostile(tmp_path, HOSTILE):
        assert one.count("script") == 1 and one.count("img") == 0
        assert not [link for link in one.links if link.strip().lower().startswith("javascript")]
    assert HOSTILE in page(tmp_path, "site/versions/dev/2.html").text
    command = f"wsl --install 'dev-{HOSTILE.replace(chr(39), chr(39) * 2)}'"
    assert command in page(tmp_path, "site/versions/dev/2.html").text


@settings(max_examples=20, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=12))
def test_no_text_breaks_a_page(tmp_path_factory: pytest.TempPathFactory, text: str):
    folder = tmp_path_factory.mktemp("text")
    plain = hostile(folder.with_name(f"{folder.name}-plain"), "2026-01-01")
    known = {name for one in plain for name, _ in one.elements}
    assert {name for one in hostile(folder, text) for name, _ in one.elements} <= known


def test_the_search_script_is_data_for_one_function(tmp_path: Path):
    hostile(tmp_path, HOSTILE + "\u2028</script>")
    script = (tmp_path / "site/search.js").read_bytes()
    assert script.isascii()
    data = json.loads(script.decode().removeprefix("wslimgSearch(").removesuffix(");\n"))
    assert [row["flavor"] for row in data["rows"]] == ["dev"]
    assert data["packages"] == [f"p{HOSTILE}\u2028</script>2 {HOSTILE}\u2028</script>"]


def test_the_index_of_a_large_catalog_is_small(tmp_path: Path):
    target = new_target(tmp_path)
    write_large(target, 200, 20)
    derive(target, "stable")
    assert (tmp_path / "index.html").stat().st_size < 1_000_000
    assert (tmp_path / "site/search.js").stat().st_size < 1_000_000
    assert len(list((tmp_path / "site/versions").rglob("*.html"))) == 4000


def test_pages_apart_from_the_catalog_lead_to_its_address(tmp_path: Path):
    target = write_sample(tmp_path / "catalog")
    out = tmp_path / "out"
    out.mkdir()
    derive_site(Places(catalog=target, pages=DirectoryTarget(out)), ("stable",), discard, thorough=True)
    links = page(out, "site/versions/web/2026.11.1.html").links
    assert any(link.startswith(f"{BASE}/images/web/2026.11.1/") for link in links)
    assert f"{BASE}/stable/catalog.json" in page(out).links


def commands(folder: Path, **settings: object) -> Iterator[str]:
    target = new_target(folder, **settings)
    write_lists(target, {"stable": [publication("1")]})
    derive(target, "stable")
    return iter(page(folder, "site/versions/dev/1.html").text.splitlines())


@pytest.mark.parametrize(
    ("given", "fetched", "used"),
    [
        ({"base_url": "https://h"}, " 'https://h/images/dev/1/dev-1-amd64.", "-LiteralPath 'dev-1-amd64."),
        ({"base_url": "file://///srv/wsl"}, "", r"-LiteralPath '\\srv\wsl\images\dev\1\dev-1-amd64."),
        ({"base_url": "file:///C:/it's/wsl"}, "", r"-LiteralPath 'C:\it''s\wsl\images\dev\1\dev-1-amd64."),
        ({"images_url": "https://r/v2/a/blobs/sha256:{sha256}"}, " 'https://r/v2/a/blobs/sha256:",
         "-LiteralPath 'dev-1-amd64."),
    ],
)  # fmt: skip
def test_commands_fit_the_address_of_the_catalog(
    tmp_path: Path, given: dict[str, str], fetched: str, used: str
):
    lines = list(commands(tmp_path, **given))
    curl = [line for line in lines if "curl.exe" in line]
    assert (fetched in curl[0]) if fetched else curl == []
    assert any(used in line for line in lines if "Get-FileHash" in line)


def test_a_file_is_installed_only_by_the_statement_that_compared_it(tmp_path: Path):
    lines = list(commands(tmp_path))
    compare = next(number for number, line in enumerate(lines) if "Get-FileHash" in line)
    assert lines[compare].endswith("{") and lines[compare + 1].startswith("  wsl --install --from-file")
    assert lines[compare + 2].startswith("} else {"), "a prompt runs what was pasted line by line"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (71_400_000, "71.4 MB"), (214_048_576, "214 MB"),
     (1_250_000_000, "1.25 GB"), (1_250_000_000_000, "1250 GB")],
)  # fmt: skip
def test_sizes_have_three_digits(size: int, text: str):
    assert format_size(size) == text
    assert format_growth(size) == (f"+{text}" if size else text)
