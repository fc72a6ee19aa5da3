"""Takes the pictures of `docs/catalog-site.md`: python -m tests.e2e.site_pictures

Needs Debian's chromium, fonts-inter and fonts-jetbrains-mono, as tests/install-tools installs them.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image

from tests.e2e.browser import open_browser
from tests.e2e.site_sample import write_sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDER = Path(__file__).resolve().parents[2] / "docs/images"
VIEWS = {
    "catalog-index-light": ("light", "index.html"),
    "catalog-search-dark": ("dark", "index.html#q=nodejs 20"),
    "catalog-version-light": ("light", "site/versions/debian/2026.11.1.html"),
    "catalog-help-dark": ("dark", "site/help.html#codes"),
}
"""Name of a picture -> colour scheme and page."""
_WIDTH, _HEIGHT = 1280, 860
_LARGEST = 200_000
_TODAY = "2026-11-22T12:00:00Z"


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="wslimg-") as folder, open_browser() as browser:
        write_sample(Path(folder))
        for name, (scheme, path) in VIEWS.items():
            data = shrink(take(browser, f"{Path(folder).as_uri()}/{path}", scheme))
            assert len(data) < _LARGEST, f"{name}: {len(data)} bytes"
            FOLDER.joinpath(f"{name}.png").write_bytes(data)


def take(browser: Browser, url: str, scheme: str) -> bytes:
    """What the window shows of `url` on the same day every time, as a PNG."""
    page = browser.new_page(
        viewport={"width": _WIDTH, "height": _HEIGHT},
        color_scheme=scheme,  # type: ignore[arg-type]  # one of its literals
        reduced_motion="reduce",
    )
    page.clock.set_fixed_time(_TODAY)
    page.goto(url)
    if "#q=" in url:
        page.locator(".matches").first.wait_for()
    return page.screenshot()


def shrink(data: bytes) -> bytes:
    """The same picture in fewer bytes."""
    out = BytesIO()
    Image.open(BytesIO(data)).convert("RGB").save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
