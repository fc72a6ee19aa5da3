"""The pages of a catalog in Debian's Chromium: readable by everybody, with and without scripts, and fast."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.browser import open_browser, require_browser
from tests.e2e.site_sample import write_sample
from tests.e2e.test_publish import served
from tests.unit.publish.sites import derive, new_target, write_large

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.system

PAGES = (
    "index.html", "site/distributions/debian.html", "site/versions/debian/2026.11.1.html",
    "site/versions/payments/2026.10.1.html", "site/help.html",
)  # fmt: skip
SECOND = 1000.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    require_browser()
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder)
    return folder


@pytest.fixture(scope="module", params=["http", "file"])
def base(request: pytest.FixtureRequest, sample: Path) -> Iterator[str]:
    """The catalog as people reach it: from a web server, and from a disk or share."""
    if request.param == "file":
        yield sample.as_uri()
        return
    with served(sample) as url:
        yield url


COMPLAINTS: list[str] = []
"""What the browser says of the pages that were visited."""


@pytest.fixture(autouse=True)
def closed_without_complaints(browser: Browser) -> Iterator[None]:
    COMPLAINTS.clear()
    yield
    for context in browser.contexts:
        context.close()
    assert COMPLAINTS == []


def visit(browser: Browser, url: str, **context: object) -> Page:
    """The page at `url`, in a window and with a profile of its own."""
    page = browser.new_context(**context).new_page()  # type: ignore[arg-type]  # passed on
    page.on("pageerror", lambda error: COMPLAINTS.append(f"{url}: {error}"))
    page.on(
        "console", lambda line: COMPLAINTS.append(f"{url}: {line.text}") if line.type == "error" else None
    )
    page.goto(url)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(browser: Browser, sample: Path, path: str, scheme: str):
    from axe_playwright_python.sync_playwright import Axe

    # Axe puts a script into the page, which the page's policy refuses, and fetches its style.
    with served(sample) as url:
        page = visit(browser, f"{url}/{path}", color_scheme=scheme, bypass_csp=True)
        assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
        results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert len(results.response["passes"]) > 15


def test_search_with_the_keyboard_alone(browser: Browser, base: str):
    page = visit(browser, f"{base}/index.html")
    page.keyboard.press("/")
    page.keyboard.type("maven 3.9")
    page.get_by_text("1 of 6 distributions").wait_for()
    assert page.locator(".card:visible h2").all_text_contents() == ["Payments services"]
    assert page.locator(".matches:visible").inner_text() == "has maven 3.9.9-1"
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url("**/payments.html")
    assert page.locator("h1").inner_text() == "Payments services"


@pytest.mark.parametrize(
    ("query", "found"),
    [("firmware", 2), ("2026.09.2", 6), ("openssl 3.5.1", 6), ("RESEARCH", 1), ("no such thing", 0)],
)
def test_search_finds_names_versions_packages_and_people(browser: Browser, base: str, query: str, found: int):
    page = visit(browser, f"{base}/index.html")
    page.get_by_label("Search names").fill(query)
    page.get_by_text(f"{found} of 6 distributions").wait_for()
    page.get_by_label("Search names").press("Escape")
    assert page.locator(".card:visible").count() == 6


def test_search_names_what_it_found(browser: Browser, base: str):
    page = visit(browser, f"{base}/index.html")
    for query, told in (
        ("nodejs 20", "has nodejs 20.19.2+dfsg-1"), ("web 2026.09", "has version 2026.09.2"),
        ("front lib", "has libc6 2.41-12, libssl3t64 3.5.1-1"),
    ):  # fmt: skip
        page.get_by_label("Search names").fill(query)
        page.locator(".card[data-flavor=web] .matches", has_text=told).wait_for()
        assert page.locator(".card[data-flavor=web] .matches").inner_text() == told


def test_a_search_can_be_shared(browser: Browser, base: str):
    page = visit(browser, f"{base}/index.html")
    page.get_by_label("Search names").fill("jupyter")
    page.locator(".matches").wait_for()
    again = visit(browser, page.url)
    again.locator(".matches").wait_for()
    assert again.locator(".card:visible h2").all_text_contents() == ["Data science"]


def test_packages_and_codes_are_filtered(browser: Browser, base: str):
    page = visit(browser, f"{base}/site/versions/debian/2026.11.1.html")
    page.get_by_label("Show packages with").fill("libssl")
    assert page.locator("#package-table tbody tr:visible").count() == 1
    page = visit(browser, f"{base}/site/help.html")
    page.get_by_label("Show codes with").fill("0x80040326")
    assert page.locator(".codes tbody tr:visible th").all_inner_texts() == [
        "WSL_E_NOT_A_LINUX_DISTRO\n0x80040326"
    ]


def test_commands_are_copied(browser: Browser, base: str):
    page = visit(browser, f"{base}/index.html", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy wsl --install debian").click()
    page.locator(".spoken", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "wsl --install debian"


def test_without_a_clipboard_the_command_is_copied_by_selecting_it(browser: Browser, base: str):
    page = visit(browser, f"{base}/index.html")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("button", name="Copy wsl --install web").click()
    page.locator(".spoken", has_text="Copied").wait_for()
    assert page.evaluate("getSelection().toString()") == "wsl --install web"


def test_the_end_of_support_shows_by_itself(browser: Browser, base: str):
    page = browser.new_page()
    page.clock.install(time="2028-06-30T12:00:00Z")
    page.goto(f"{base}/index.html")
    assert page.get_by_text("support has ended").count() == 6
    assert page.locator("text=support has ended >> visible=true").count() == 0
    page.clock.set_fixed_time("2028-07-01T12:00:00Z")
    page.reload()
    assert page.locator("text=support has ended >> visible=true").count() == 6


@pytest.mark.parametrize("path", PAGES)
def test_everything_is_there_without_scripts(browser: Browser, base: str, path: str):
    page = visit(browser, f"{base}/{path}", java_script_enabled=False)
    assert page.locator("main h1:visible").count() == 1
    assert page.locator("search:visible, .filter:visible, .copy:visible").count() == 0
    if path == "index.html":
        assert page.locator(".card:visible").count() == 6
        page.get_by_role("link", name="Debian 13 for developers").click()
        page.get_by_role("link", name="2026.10.1").click()
        assert page.locator("h1").inner_text() == "Debian 13 for developers 2026.10.1"


def test_the_first_stop_of_the_keyboard_skips_to_the_content(browser: Browser, base: str):
    page = visit(browser, f"{base}/site/help.html")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_policy_of_a_page_forbids_other_scripts(browser: Browser, base: str):
    page = visit(browser, f"{base}/index.html")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.smuggled = true";
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.smuggled") is None
    assert "Content Security Policy" in COMPLAINTS.pop()


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, sample: Path, width: int):
    for path in PAGES:
        page = visit(browser, f"{sample.as_uri()}/{path}", viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_on_paper_there_is_only_what_paper_can_do(browser: Browser, sample: Path):
    page = visit(browser, f"{sample.as_uri()}/site/versions/debian/2026.11.1.html", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(".copy:visible, .filter:visible, nav:visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 distributions of 20 versions."""
    folder = tmp_path_factory.mktemp("large")
    target = new_target(folder)
    write_large(target, 200, 20)
    derive(target, "stable")
    return folder


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_the_index_of_a_large_catalog_opens_within_a_second(browser: Browser, large: Path, scheme: str):
    if scheme == "file":
        took = [open_index(browser, large.as_uri()) for _ in range(3)]
    else:
        with served(large) as url:
            took = [open_index(browser, url) for _ in range(3)]
    assert statistics.median(took) < SECOND, took


def open_index(browser: Browser, base: str) -> float:
    """Milliseconds from the start of the navigation to the end of `load`, in a browser without a cache."""
    page = visit(browser, f"{base}/index.html")
    assert page.locator(".card").count() == 200
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    assert 0 < timing["domContentLoadedEventEnd"] <= timing["loadEventEnd"]
    return float(timing["loadEventEnd"])


def test_search_in_a_large_catalog_answers_at_once(browser: Browser, large: Path):
    page = visit(browser, f"{large.as_uri()}/index.html")
    page.get_by_label("Search names").fill("package-17")
    page.get_by_text(" of 200 distributions", exact=False).wait_for()
    page.locator(".matches").first.wait_for()
    took = page.evaluate(
        """() => {
            const input = document.getElementById("query");
            const begin = performance.now();
            input.value = "package-320 1.";
            input.dispatchEvent(new Event("input"));
            document.body.getBoundingClientRect();
            return performance.now() - begin;
        }"""
    )
    assert 0 < page.locator(".card:visible").count() < 200
    assert took < SECOND / 2
