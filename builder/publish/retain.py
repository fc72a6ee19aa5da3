"""Lets go of old versions: first of their entries, of their images when nobody can be downloading them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from builder.model.catalog import Publication
from builder.publish.channel import Channel, find_current
from builder.publish.index import rebuild_channel, refuse_unsigned
from builder.publish.layout import ENTRIES, IMAGES, PRUNING, RETIRED, entry_path, mark_path
from builder.publish.read import list_channels, read_channel, read_retired
from builder.publish.record import record
from builder.publish.render import encode_model
from builder.publish.sign import Signer
from builder.publish.target import Target
from builder.publish.versions import version_key

_DAY = 86400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """`keep` versions of each flavor stay in each channel; a file that no entry names stays `grace` days."""

    keep: int
    grace: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grace:
    """How many `days` a file has to be there, at the time `now` (seconds since the epoch)."""

    days: float
    now: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """Paths of entries that leave the lists, and of files that are deleted, with the bytes of the latter."""

    entries: tuple[str, ...]
    files: tuple[str, ...]
    size: int


def plan_pruning(target: Target, rules: Rules) -> Pruned:
    """What `prune` would do now: of images, those that no entry has named for `grace` days already."""
    channels = [read_channel(target, name) for name in list_channels(target)]
    entries = tuple(path for channel in channels for path in old_entries(channel, rules.keep))
    sizes = _unreferenced(target, channels, _Grace(days=rules.grace, now=time.time()))
    return Pruned(entries=entries, files=tuple(sizes), size=sum(sizes.values()))


def prune(target: Target, rules: Rules, signer: Signer | None) -> Pruned:
    """Do what the rules say, and return what was done. The lists forget a version before its image goes.

    Raises PublishError, BusyError while somebody else prunes.
    """
    with target.lock(PRUNING):
        grace = _Grace(days=rules.grace, now=_read_clock(target))
        channels = [read_channel(target, name) for name in list_channels(target)]
        for channel in channels:
            refuse_unsigned(channel.settings, target.place, signer)
        entries = tuple(path for channel in channels for path in old_entries(channel, rules.keep))
        for channel in channels:
            _retire(target, channel, rules.keep, signer)
        channels = [read_channel(target, channel.name) for channel in channels]
        sizes = _unreferenced(target, channels, grace)
        for path in (*sizes, *_forgotten(target, grace)):
            target.delete(path)
    if entries or sizes:
        record(target, "prune", "", (*entries, *sizes))
    return Pruned(entries=entries, files=tuple(sizes), size=sum(sizes.values()))


def old_entries(channel: Channel, keep: int) -> tuple[str, ...]:
    """The paths of the entries that are older than the newest `keep` versions of their flavor.

    What the flavor's name stands for stays whatever its age, on every architecture. Withdrawn versions do
    not count, and stay while they are newer than what is kept.
    """
    flavors: dict[str, list[Publication]] = defaultdict(list)
    for publication in channel.publications:
        flavors[publication.flavor].append(publication)
    return tuple(
        sorted(
            entry_path(channel.name, one)
            for publications in flavors.values()
            for one in _old(channel, publications, keep)
        )
    )


def _old(channel: Channel, publications: list[Publication], keep: int) -> Iterator[Publication]:
    withdrawn = channel.marked("withdrawn")
    versions = {one.version for one in publications if (one.flavor, one.version) not in withdrawn}
    kept = sorted(versions, key=version_key, reverse=True)[:keep]
    current = {one.version for one in find_current(channel, publications).values()}
    for one in publications:
        newer = bool(kept) and version_key(one.version) >= version_key(kept[-1])
        if one.version not in current and not newer:
            yield one


def _retire(target: Target, channel: Channel, keep: int, signer: Signer | None) -> None:
    """Take the old entries out of the lists; copies tell from when on their images are not offered."""
    by_path = {entry_path(channel.name, one): one for one in channel.publications}
    for path in old_entries(channel, keep):
        target.put_bytes(RETIRED + path.removeprefix(ENTRIES), encode_model(by_path[path]))
        target.delete(path)
    for path in _stray_marks(read_channel(target, channel.name)):
        target.delete(path)
    rebuild_channel(target, channel.name, signer)


def _unreferenced(target: Target, channels: Iterable[Channel], grace: _Grace) -> Mapping[str, int]:
    """Path -> size of the files below images/ that no entry names, nor one that was retired lately, and that
    have been there for the days of `grace`: a publisher may be about to write the entry of a younger one."""
    lately = [one for path, one in read_retired(target).items() if not _is_older(target, path, grace)]
    offered = [one for channel in channels for one in channel.publications]
    named = {stored.path for one in (*offered, *lately) for stored in (one.image, *one.sidecars)}
    return {
        path: info.size
        for path in target.list(IMAGES)
        if path not in named and _is_older(target, path, grace) and (info := target.stat(path))
    }


def _forgotten(target: Target, grace: _Grace) -> Iterator[str]:
    yield from (path for path in target.list(RETIRED) if _is_older(target, path, grace))


def _stray_marks(channel: Channel) -> Iterator[str]:
    """Marks of versions that have no entry any more."""
    known = {(one.flavor, one.version) for one in channel.publications}
    for mark in channel.marks:
        if (mark.flavor, mark.version) not in known:
            yield mark_path(channel.name, mark.flavor, mark.version, mark.kind)


def _is_older(target: Target, path: str, grace: _Grace) -> bool:
    info = target.stat(path)
    return info is not None and grace.now - info.modified >= grace.days * _DAY


def _read_clock(target: Target) -> float:
    """The time by the target's clock, which its files have, too: when the lock that is held was written. That
    of this machine may be wrong by years."""
    info = target.stat(PRUNING)
    return info.modified if info and info.modified else time.time()
