"""News of a channel as an Atom feed (RFC 4287): one entry for each version, the newest first."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from builder.publish.layout import join_url
from builder.publish.site.describe import Offer, Release, Site
from builder.publish.site.paths import INDEX, address, feed_path, root_of, version_path

_ENTRIES = 50
_NEVER = "1970-01-01T00:00:00Z"
_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say (section 2.2, Char)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """An entry of a feed. `id` never changes; `updated` is when something about it was decided last."""

    id: str
    title: str
    link: str
    author: str
    category: str
    published: str
    updated: str
    summary: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """A feed with its own address and that of the page it belongs to."""

    id: str
    title: str
    link: str
    itself: str
    updated: str
    author: str
    news: tuple[News, ...]


def describe_feed(site: Site, channel: str) -> Feed:
    """The feed of `channel`. Addresses are absolute where the catalog has an address on the web: most readers
    take no others."""
    path = feed_path(channel)
    base = site.base_url if site.base_url.startswith("http") else root_of(path)
    offered = [
        (offer, release)
        for one in site.distributions
        for release in one.releases
        for offer in release.offers
        if offer.channel == channel
    ]
    newest = sorted(offered, key=lambda pair: (_updated(pair[0]), pair[1].name), reverse=True)[:_ENTRIES]
    news = tuple(_news(site, base, offer, release) for offer, release in newest)
    return Feed(
        id=_identify(site, channel),
        title=_clean(f"{site.title}: {channel}"),
        link=address(base, INDEX),
        itself=address(base, path),
        updated=news[0].updated if news else _NEVER,
        author=_clean(site.title),
        news=news,
    )


def _news(site: Site, base: str, offer: Offer, release: Release) -> News:
    owner = next((told.text for told in release.told if told.label == "Owner"), site.title)
    return News(
        id=_identify(site, offer.channel, release.flavor, release.version),
        title=_clean(f"{release.friendly_name} {release.version}{_decided(offer)}"),
        link=address(base, version_path(release.flavor, release.version)),
        author=_clean(owner),
        category=release.flavor,
        published=offer.published,
        updated=_updated(offer),
        summary=_clean(_summarise(offer, release)),
    )


def _updated(offer: Offer) -> str:
    """When something was decided about it last."""
    return max(offer.published, offer.marked)


def _decided(offer: Offer) -> str:
    if offer.withdrawn:
        return " (withdrawn)"
    return " (deprecated)" if offer.deprecated else ""


def _summarise(offer: Offer, release: Release) -> str:
    if offer.withdrawn:
        return "It was taken back and can no longer be installed by name."
    if offer.deprecated and offer.use:
        return f"Nobody should begin with it; install {offer.use} instead."
    told = [told.text for told in release.told if told.label == "Changelog"]
    name = release.flavor if offer.current else release.name
    return " ".join(filter(None, (release.description, f"Install it with: wsl --install {name}", *told)))


def _identify(site: Site, *names: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, join_url(site.base_url, "/".join(names))).urn


def _clean(text: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", text)
