"""Decides what a channel offers: from its entries and marks to the document that all lists are made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from builder.model.catalog import (
    Architecture,
    ChannelDocument,
    ListedFlavor,
    ListedImage,
    ListedVersion,
    Mark,
    MarkKind,
    Publication,
    Settings,
)
from builder.publish.layout import stored_url
from builder.publish.versions import VersionKey, version_key
from builder.wsl.lists import ARCHITECTURES

_Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """The truth about one channel, in the order of its paths."""

    name: str
    settings: Settings
    publications: tuple[Publication, ...]
    marks: tuple[Mark, ...]

    def marked(self, kind: MarkKind) -> dict[_Key, Mark]:
        """(flavor, version) -> its mark of `kind`."""
        return {(mark.flavor, mark.version): mark for mark in self.marks if mark.kind == kind}


def describe_channel(channel: Channel) -> ChannelDocument:
    """The document of `channel`: flavors by name, versions from new to old."""
    flavors: dict[str, list[Publication]] = defaultdict(list)
    for publication in drop_conflicts(channel.publications):
        flavors[publication.flavor].append(publication)
    changes = [p.published for p in channel.publications] + [mark.marked for mark in channel.marks]
    return ChannelDocument(
        channel=channel.name,
        base_url=channel.settings.base_url,
        images_url=channel.settings.images_url,
        updated=max(changes, default=""),
        flavors=tuple(_describe_flavor(channel, flavors[name]) for name in sorted(flavors, key=str.lower)),
    )


def drop_conflicts(publications: Iterable[Publication]) -> tuple[Publication, ...]:
    """One publication for each flavor, version and architecture. Should two publishers have met, everybody
    chooses the same until one of them has withdrawn."""
    chosen: dict[tuple[str, str, str], Publication] = {}
    for publication in sorted(publications, key=lambda one: one.image.sha256):
        chosen.setdefault((publication.flavor, publication.version, publication.architecture), publication)
    return tuple(chosen.values())


def find_current(channel: Channel, publications: Iterable[Publication]) -> dict[Architecture, Publication]:
    """Which of one flavor's `publications` its own name stands for, on each architecture.

    Withdrawn versions do not count; before all others come those that are not deprecated, then those that
    say they stand for the flavor, then the newest. So the name leads somewhere wherever any version runs.
    """
    withdrawn, deprecated = channel.marked("withdrawn"), channel.marked("deprecated")

    def rank(one: Publication) -> tuple[bool, bool, VersionKey]:
        return ((one.flavor, one.version) not in deprecated, one.default, version_key(one.version))

    current: dict[Architecture, Publication] = {}
    for publication in sorted(publications, key=rank):
        if (publication.flavor, publication.version) not in withdrawn:
            current[publication.architecture] = publication
    return current


def _describe_flavor(channel: Channel, publications: list[Publication]) -> ListedFlavor:
    current = find_current(channel, publications)
    versions: dict[str, list[Publication]] = defaultdict(list)
    for publication in publications:
        versions[publication.version].append(publication)
    newest_first = sorted(versions, key=version_key, reverse=True)
    standing = (
        sorted(current.values(), key=lambda one: version_key(one.version), reverse=True) or publications
    )
    return ListedFlavor(
        flavor=publications[0].flavor,
        friendly_name=standing[0].friendly_name,
        versions=tuple(_describe_version(channel, versions[version], current) for version in newest_first),
    )


def _describe_version(
    channel: Channel, publications: list[Publication], current: dict[Architecture, Publication]
) -> ListedVersion:
    images = sorted(publications, key=lambda one: list(ARCHITECTURES).index(one.architecture))
    first = images[0]
    key = (first.flavor, first.version)
    deprecation = channel.marked("deprecated").get(key)
    return ListedVersion(
        version=first.version,
        name=first.name,
        friendly_name=first.friendly_name,
        description=first.description,
        details=dict(sorted(first.details.items())),
        withdrawn=key in channel.marked("withdrawn"),
        deprecated=deprecation is not None,
        use=deprecation.use if deprecation else "",
        marked=max((mark.marked for mark in channel.marks if (mark.flavor, mark.version) == key), default=""),
        images=tuple(_describe_image(channel.settings, one, current) for one in images),
    )


def _describe_image(
    settings: Settings, publication: Publication, current: dict[Architecture, Publication]
) -> ListedImage:
    return ListedImage(
        architecture=publication.architecture,
        current=current.get(publication.architecture) is publication,
        url=stored_url(settings.base_url, settings.images_url, publication.image),
        published=publication.published,
        image=publication.image,
        sidecars=publication.sidecars,
    )
