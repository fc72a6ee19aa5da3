"""Every page of a site, with a key of what it is made from: equal keys, equal pages. Nothing is read here
but by the page that is rendered."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic_core import to_json

from builder import __version__
from builder.core.digests import sha256_bytes
from builder.core.resources import resource_folder
from builder.model.catalog import ListedImage
from builder.publish.packages import PackageChange, Packages, compare_packages, is_downgrade
from builder.publish.site import commands, explain
from builder.publish.site.contents import Contents, ReadContents
from builder.publish.site.describe import Release, Site
from builder.publish.site.feed import describe_feed
from builder.publish.site.paths import (
    HELP,
    INDEX,
    SCRIPT,
    SEARCH,
    STYLE,
    Files,
    address,
    distribution_path,
    feed_path,
    root_of,
    version_path,
)
from builder.publish.site.search import list_rows, render_search
from builder.publish.site.sizes import format_growth, format_size
from builder.templating import render_page

_TEMPLATES = "site"
_KEY_DIGITS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A file of the site. `render` gives its bytes."""

    key: str
    render: Callable[[], bytes]


def plan_pages(site: Site, read: ReadContents, search_before: Callable[[], bytes]) -> dict[str, Page]:
    """Path -> page in the order of writing, the index at the end.

    `search_before` gives the search script that is there, whose packages need not be read again.
    """
    pages = {STYLE: _file("site.css"), SCRIPT: _file("site.js"), HELP: _help_page(site)}
    for one in site.distributions:
        for release, previous in zip(one.releases, (*one.releases[1:], None), strict=True):
            path = version_path(release.flavor, release.version)
            pages[path] = _version_page(path, site, release, previous, read)
        path = distribution_path(one.flavor)
        pages[path] = _page("distribution.html.j2", path, site, {"distribution": one})
    pages[SEARCH] = _search_script(site, read, search_before)
    for channel in site.channels:
        pages[feed_path(channel)] = _template("feed.xml.j2", {"feed": describe_feed(site, channel)})
    pages[INDEX] = _page("index.html.j2", INDEX, site, {"site": site})
    return pages


def _help_page(site: Site) -> Page:
    return _page(
        "help.html.j2",
        HELP,
        site,
        {
            "query": explain.QUERY,
            "pointers": explain.point_to(site),
            "advice": explain.ADVICE,
            "frequent": explain.frequent_codes(),
            "others": explain.other_codes(),
        },
    )


def _version_page(
    path: str, site: Site, release: Release, previous: Release | None, read: ReadContents
) -> Page:
    """Its inventories are read when it is rendered."""

    def look_inside() -> dict[str, object]:
        images = {image.architecture: image for image in previous.images} if previous else {}
        image = next((one for one in release.images if one.architecture in images), release.images[0])
        contents = read(image)
        before = read(images[image.architecture]) if image.architecture in images else None
        return {
            "contents": contents,
            "image": image,
            "changes": _compare(before, contents),
            "signature": commands.verify_signature(site, release),
        }

    variables = {"release": release, "previous": previous, "signed": site.signed}
    return _page("version.html.j2", path, site, variables, look_inside)


def _compare(before: Contents | None, after: Contents) -> tuple[PackageChange, ...] | None:
    """What changed, None where that cannot be known."""
    if before is None or before.packages is None or after.packages is None:
        return None
    return compare_packages(before.packages, after.packages)


def _search_script(site: Site, read: ReadContents, before: Callable[[], bytes]) -> Page:
    rows = list_rows(site)

    def packages(image: ListedImage) -> Packages:
        return read(image).packages or {}

    return Page(key=_digest("search", rows), render=lambda: render_search(rows, before(), packages))


def _page(
    template: str,
    path: str,
    site: Site,
    variables: Mapping[str, object],
    read: Callable[[], Mapping[str, object]] = dict,
) -> Page:
    """The HTML page at `path`; `read` adds variables that the key need not know."""
    root = root_of(path)
    files = Files(root=root, base_url=site.base_url, images_url=site.images_url, beside=site.beside)
    head = {"title": site.title, "root": root, "files": files}
    return _template(template, {**head, **variables}, read)


def _template(
    template: str, variables: Mapping[str, object], read: Callable[[], Mapping[str, object]] = dict
) -> Page:
    def render() -> bytes:
        text = render_page(f"{_TEMPLATES}/{template}", {**_FUNCTIONS, **variables, **read()})
        return text.encode("utf-8", "replace")

    return Page(key=_digest(template, variables), render=render)


def _file(name: str) -> Page:
    """A file that is shipped as it is."""
    return Page(key=_digest(name, ""), render=(resource_folder("templates") / _TEMPLATES / name).read_bytes)


def _digest(name: str, variables: object) -> str:
    return sha256_bytes(to_json((__version__, _templates_digest(), name, variables)))[:_KEY_DIGITS]


@functools.cache
def _templates_digest() -> str:
    folder = resource_folder("templates") / _TEMPLATES
    return sha256_bytes(b"".join(path.read_bytes() for path in sorted(folder.iterdir())))


_FUNCTIONS: Mapping[str, object] = {
    "address": address,
    "describe_machine": commands.describe_machine,
    "distribution_path": distribution_path,
    "feed_path": feed_path,
    "format_growth": format_growth,
    "format_size": format_size,
    "install_by_channel": commands.install_by_channel,
    "install_by_name": commands.install_by_name,
    "install_from_file": commands.install_from_file,
    "is_downgrade": is_downgrade,
    "version_path": version_path,
}
"""What templates call."""
