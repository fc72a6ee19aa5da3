"""Where the pages are: paths in the catalog, and the relative addresses between them.

index.html                          all distributions
site/distributions/FLAVOR.html      one with its versions
site/versions/FLAVOR/VERSION.html   one version with its packages
site/help.html
site/site.css, site.js, search.js   search.js is loaded when somebody searches
site/pages.json                     path -> key of what the page was made from
CHANNEL/feed.xml                    news
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from builder.model.catalog import StoredFile
from builder.publish.layout import SITE, join_url, stored_url

INDEX = "index.html"
HELP, STYLE, SCRIPT = f"{SITE}help.html", f"{SITE}site.css", f"{SITE}site.js"
SEARCH, STATE = f"{SITE}search.js", f"{SITE}pages.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """Where a page finds what is no page: relative to `root`, which leads to the root of the catalog; or,
    when pages and files lie apart, where Windows finds it."""

    root: str
    base_url: str
    images_url: str
    beside: bool

    def stored(self, file: StoredFile) -> str:
        """The address of an image or of a file about it."""
        if self.beside and not self.images_url:
            return address(self.root, file.path)
        return stored_url(self.base_url, self.images_url, file)

    def derived(self, path: str) -> str:
        """The address of a file of a channel."""
        return address(self.root if self.beside else self.base_url, path)


def distribution_path(flavor: str) -> str:
    """The page of a flavor."""
    return f"{SITE}distributions/{flavor}.html"


def version_path(flavor: str, version: str) -> str:
    """The page of a version."""
    return f"{SITE}versions/{flavor}/{version}.html"


def feed_path(channel: str) -> str:
    """The feed of a channel."""
    return f"{channel}/feed.xml"


def root_of(path: str) -> str:
    """What leads from the page at `path` to the root of the catalog: "" or one or more `../`."""
    return "../" * path.count("/")


def address(root: str, path: str) -> str:
    """The address of `path` as a page says it whose root is `root`, or the address of a catalog."""
    return join_url(root, path) if "://" in root else root + quote(path, safe="/-._~+")
