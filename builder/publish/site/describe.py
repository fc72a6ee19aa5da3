"""What the channels of a catalog offer, as its pages tell it: by distribution, not by channel. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builder.model.catalog import DEFAULT_CHANNEL, ChannelDocument, ListedImage, ListedVersion, Settings
from builder.publish.versions import version_key

_TITLE = "WSL distributions"
_TOLD = ("owner", "support", "end_of_life", "replaces", "changelog")
_WEB = ("https://", "http://", "mailto:")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Something that the publisher tells, under its `label`; `link` is an address that is safe to follow."""

    label: str
    text: str
    link: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a channel says of a release; `current` are the architectures on which the flavor's own name leads
    to it there, `published` and `marked` the times of that (UTC, ISO 8601)."""

    channel: str
    current: tuple[str, ...]
    withdrawn: bool
    deprecated: bool
    use: str
    published: str
    marked: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A version of a flavor, wherever it is offered. `end_of_life` is the last day of support, or ""."""

    flavor: str
    version: str
    name: str
    friendly_name: str
    description: str
    end_of_life: str
    told: tuple[Told, ...]
    images: tuple[ListedImage, ...]
    offers: tuple[Offer, ...]

    @property
    def published(self) -> str:
        """When it first appeared."""
        return min(offer.published for offer in self.offers)

    @property
    def withdrawn(self) -> bool:
        """Whether no channel offers it any more."""
        return all(offer.withdrawn for offer in self.offers)

    @property
    def offer(self) -> Offer:
        """That of the first channel in which it is not withdrawn, if there is one."""
        return next((offer for offer in self.offers if not offer.withdrawn), self.offers[0])

    @property
    def deprecated(self) -> bool:
        """Whether nobody should begin with it."""
        return self.offer.deprecated and not self.withdrawn

    @property
    def use(self) -> str:
        """What to install instead, "" if nobody says."""
        return self.offer.use

    @property
    def is_current(self) -> bool:
        """Whether the flavor's own name leads to it anywhere."""
        return any(offer.current for offer in self.offers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """A flavor with its releases, the newest first."""

    flavor: str
    releases: tuple[Release, ...]

    @property
    def main(self) -> Release:
        """What its name stands for in the first channel that has it, else the newest there is."""
        standing = self.standing
        return standing[0][1] if standing else self.releases[0]

    @property
    def standing(self) -> tuple[tuple[Offer, Release], ...]:
        """What its name leads to, channel by channel."""
        pairs = [(offer, one) for one in self.releases for offer in one.offers if offer.current]
        return tuple(sorted(pairs, key=lambda pair: _channel_key(pair[0].channel)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A catalog as its pages tell it. With `beside` the pages lie in the catalog and lead to its files by
    relative addresses, else by those below `base_url`."""

    title: str
    base_url: str
    images_url: str
    signed: bool
    beside: bool
    channels: tuple[str, ...]
    updated: str
    distributions: tuple[Distribution, ...]


def describe_site(settings: Settings, documents: Iterable[ChannelDocument], *, beside: bool) -> Site:
    """The site of the catalog with `settings` whose channels have `documents`."""
    ordered = sorted(documents, key=lambda document: _channel_key(document.channel))
    versions: dict[str, dict[str, list[tuple[str, ListedVersion]]]] = defaultdict(lambda: defaultdict(list))
    for document in ordered:
        for flavor in document.flavors:
            for version in flavor.versions:
                versions[flavor.flavor][version.version].append((document.channel, version))
    return Site(
        title=settings.title or _TITLE,
        base_url=settings.base_url,
        images_url=settings.images_url,
        signed=settings.signed,
        beside=beside,
        channels=tuple(document.channel for document in ordered),
        updated=max((document.updated for document in ordered), default=""),
        distributions=tuple(sorted((_describe(*one) for one in versions.items()), key=_rank)),
    )


def _describe(flavor: str, versions: dict[str, list[tuple[str, ListedVersion]]]) -> Distribution:
    newest_first = sorted(versions, key=version_key, reverse=True)
    return Distribution(
        flavor=flavor, releases=tuple(_release(flavor, versions[one]) for one in newest_first)
    )


def _release(flavor: str, listed: list[tuple[str, ListedVersion]]) -> Release:
    """The release that one or more channels list; what they call it is as in the first of them."""
    first = listed[0][1]
    images = {image.architecture: image for _, version in reversed(listed) for image in version.images}
    return Release(
        flavor=flavor,
        version=first.version,
        name=first.name,
        friendly_name=first.friendly_name,
        description=first.description,
        end_of_life=first.details.get("end_of_life", ""),
        told=tuple(_tell(first.details)),
        images=tuple(images[name] for name in sorted(images)),
        offers=tuple(_offer(channel, version) for channel, version in listed),
    )


def _offer(channel: str, version: ListedVersion) -> Offer:
    return Offer(
        channel=channel,
        current=tuple(image.architecture for image in version.images if image.current),
        withdrawn=version.withdrawn,
        deprecated=version.deprecated,
        use=version.use,
        published=min(image.published for image in version.images),
        marked=version.marked,
    )


def _tell(details: dict[str, str]) -> Iterator[Told]:
    """What is known of old first, then whatever else there is."""
    others = sorted(details.keys() - set(_TOLD))
    for key in (*_TOLD, *others):
        if text := details.get(key, "").strip():
            yield Told(label=key.replace("_", " ").capitalize(), text=text, link=_safe_link(text))


def _safe_link(text: str) -> str:
    """`text` as an address to follow, "" for what is none: no browser is led to javascript: or the like."""
    if text.lower().startswith(_WEB):
        return text
    is_mail = "@" in text and not any(character in text for character in " :/?&<>\"'")
    return f"mailto:{text}" if is_mail else ""


def _channel_key(channel: str) -> tuple[bool, str]:
    return (channel != DEFAULT_CHANNEL, channel)


def _rank(one: Distribution) -> tuple[bool, str, str]:
    """By name, what nobody should begin with at the end."""
    return (one.main.deprecated or one.main.withdrawn, one.flavor.lower(), one.flavor)
