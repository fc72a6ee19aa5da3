"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import require

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")


def require_browser() -> None:
    """Skip the running test visibly where there is no browser, or nothing to drive it."""
    require(CHROMIUM.exists(), "chromium is not installed (tests/install-tools installs it)")
    drivers = [
        name for name in ("playwright", "axe_playwright_python") if importlib.util.find_spec(name) is None
    ]
    require(not drivers, f"not installed: {', '.join(drivers)} (`make test-all` installs them)")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A browser without a window. Its own sandbox refuses to run as root."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
