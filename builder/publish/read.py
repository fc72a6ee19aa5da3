"""Reads the truth of a catalog: settings, entries and marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from builder.core.errors import PublishError
from builder.model.catalog import ChannelDocument, Mark, Publication, Settings
from builder.publish.channel import Channel
from builder.publish.layout import (
    CATALOG,
    ENTRIES,
    MARKS,
    RETIRED,
    SETTINGS,
    EntryName,
    entry_path,
    parse_entry_path,
)
from builder.publish.target import MissingError, Target

M = TypeVar("M", bound=BaseModel)


def read_settings(target: Target) -> Settings | None:
    """The settings of the catalog, None where there is no catalog yet. Raises PublishError."""
    data = read_or_nothing(target, SETTINGS)
    return None if data is None else parse_model(Settings, data, f"{target.place}/{SETTINGS}")


def require_settings(target: Target) -> Settings:
    """The settings; raises PublishError where there is no catalog."""
    settings = read_settings(target)
    if settings is None:
        raise PublishError(
            "there is no catalog",
            where=target.place,
            fix="make one: wslimg catalog init TARGET --base-url URL",
        )
    return settings


def read_channel(target: Target, name: str) -> Channel:
    """Everything that the channel `name` consists of. Raises PublishError for what cannot be understood."""
    return Channel(
        name=name,
        settings=require_settings(target),
        publications=tuple(_read_all(target, f"{ENTRIES}{name}/", _parse_publication)),
        marks=tuple(_read_all(target, f"{MARKS}{name}/", _parse_mark)),
    )


def read_document(target: Target, channel: str) -> ChannelDocument:
    """What readers see of `channel`. Raises PublishError where nothing was published."""
    path = f"{channel}/{CATALOG}"
    data = read_or_nothing(target, path)
    if data is None:
        raise PublishError(
            f"there is no catalog with a channel {channel}",
            where=target.place,
            fix="publish an image to it, or choose another --channel",
        )
    return parse_model(ChannelDocument, data, f"{target.place}/{path}")


def read_retired(target: Target) -> dict[str, Publication]:
    """Path -> entry that was pruned, of all channels."""
    return {path: _parse_publication(path, data, target.place) for path, data in _contents(target, RETIRED)}


def list_entries(target: Target) -> tuple[EntryName, ...]:
    """What the names of all entries of all channels say."""
    return tuple(name for path in target.list(ENTRIES) if (name := parse_entry_path(path)))


def list_channels(target: Target) -> tuple[str, ...]:
    """The names of all channels that have or had an entry."""
    paths = (path for folder in (ENTRIES, RETIRED) for path in target.list(folder))
    return tuple(sorted({path.split("/")[1] for path in paths}))


def read_or_nothing(target: Target, path: str) -> bytes | None:
    """The content of `path`, None where there is nothing."""
    try:
        return target.get(path)
    except MissingError:
        return None


def parse_model(kind: type[M], data: bytes, where: str) -> M:
    """`data` as a `kind`. Raises PublishError that names `where` and the first thing wrong."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise PublishError(
            f"is damaged: {field + ': ' if field else ''}{first['msg']}",
            where=where,
            fix="restore it from a backup, or delete it and publish the image again",
        ) from None


def _read_all(target: Target, prefix: str, parse: Callable[[str, bytes, str], M]) -> Iterator[M]:
    for path, data in _contents(target, prefix):
        yield parse(path, data, target.place)


def _contents(target: Target, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Path and content of every JSON file below `prefix`; what vanishes meanwhile was not there."""
    for path in target.list(prefix):
        if path.endswith(".json"):
            try:
                yield path, target.get(path)
            except MissingError:
                continue


def _parse_publication(path: str, data: bytes, place: str) -> Publication:
    """The entry at `path`, whose name and content have to say the same."""
    publication = parse_model(Publication, data, f"{place}/{path}")
    name = parse_entry_path(path)
    expected = entry_path(name.channel, publication) if name else ""
    if expected.removeprefix(ENTRIES) != path.removeprefix(ENTRIES).removeprefix(RETIRED):
        raise PublishError(
            f"holds {publication.flavor} {publication.version} for {publication.architecture}, "
            "which is not what its name says",
            where=f"{place}/{path}",
            fix="delete it and publish the image again",
        )
    return publication


def _parse_mark(path: str, data: bytes, place: str) -> Mark:
    return parse_model(Mark, data, f"{place}/{path}")
