"""Looks whether a catalog is what it claims to be: entries, files, lists and signatures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from builder.core.errors import PublishError
from builder.core.events import Progress, Sink
from builder.publish.channel import Channel, drop_conflicts
from builder.publish.index import expected_files
from builder.publish.layout import SIGNATURE, SIGNED, entry_path
from builder.publish.read import list_channels, read_channel, read_or_nothing, read_settings
from builder.publish.sign import find_identity, verify
from builder.publish.site.derive import find_wrong_pages
from builder.publish.target import Target
from builder.publish.upload import describe_damage

_REBUILD = "run `wslimg catalog rebuild`"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is wrong with the file `path` of the catalog, and how to go on."""

    path: str
    message: str
    fix: str


def verify_catalog(
    target: Target, channels: tuple[str, ...], allowed: str, sink: Sink, *, content: bool
) -> tuple[Problem, ...]:
    """What is wrong with `channels` (none: all). `content` reads every image; `allowed` is a list of signers
    (ssh-keygen(1)), and "" means that signatures are not looked at. Raises PublishError if the target
    cannot be read."""
    found: list[Problem] = []
    checked: set[str] = set()
    for name in channels or list_channels(target):
        try:
            channel = read_channel(target, name)
        except PublishError as error:
            found.append(Problem(path=error.where, message=error.message, fix=error.fix))
            continue
        found += _check_conflicts(channel)
        found += _check_lists(target, channel)
        found += _check_files(target, channel, checked, sink, content=content)
        if allowed:
            found += _check_signatures(target, channel, allowed)
    if content and not found:
        found += _check_pages(target, channels, sink)
    return tuple(found)


def _check_conflicts(channel: Channel) -> Iterator[Problem]:
    chosen = drop_conflicts(channel.publications)
    for publication in channel.publications:
        if publication not in chosen:
            yield Problem(
                path=entry_path(channel.name, publication),
                message="is another image of a version that has one",
                fix="delete one of the two entries",
            )


def _check_lists(target: Target, channel: Channel) -> Iterator[Problem]:
    for path, data in expected_files(channel).items():
        found = read_or_nothing(target, path)
        if found != data:
            message = "is missing" if found is None else "does not say what the entries say"
            yield Problem(path=path, message=message, fix=_REBUILD)


def _check_pages(target: Target, channels: tuple[str, ...], sink: Sink) -> Iterator[Problem]:
    """Pages are made from lists, so that only right ones can tell."""
    settings = read_settings(target)
    if settings and settings.site:
        for path in find_wrong_pages(target, channels, sink):
            yield Problem(
                path=path, message="is not the page that it should be", fix="run `wslimg catalog site`"
            )


def _check_files(
    target: Target, channel: Channel, checked: set[str], sink: Sink, *, content: bool
) -> Iterator[Problem]:
    stored = {file.path: file for one in channel.publications for file in (one.image, *one.sidecars)}
    total = sum(file.size for file in stored.values())
    done = 0
    for path in sorted(stored.keys() - checked):
        if damage := describe_damage(target, stored[path], content=content):
            yield Problem(path=path, message=damage, fix="publish the image again")
        done += stored[path].size
        sink(Progress(label=f"verify {channel.name}", done=done, total=total, unit="B"))
    checked |= stored.keys()


def _check_signatures(target: Target, channel: Channel, allowed: str) -> Iterator[Problem]:
    for name in SIGNED:
        path = f"{channel.name}/{name}"
        data, signature = (read_or_nothing(target, one) for one in (path, path + SIGNATURE))
        if data is None:
            continue
        if signature is None:
            yield Problem(path=path, message="is not signed", fix=f"{_REBUILD} with --sign KEY")
        elif not verify(data, signature, allowed, find_identity(signature, allowed)):
            yield Problem(
                path=path + SIGNATURE,
                message="is no signature of that file by an allowed signer",
                fix=f"find out who wrote the file, then {_REBUILD} with --sign KEY",
            )
