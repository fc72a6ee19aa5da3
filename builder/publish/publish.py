"""Publishes images: file, comparison, sidecars, entry, lists, in this order.

A publisher that is killed anywhere leaves a catalog that is right; whoever runs next finishes what it began.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from builder.core.errors import PublishError
from builder.core.events import Note, Sink
from builder.model.catalog import Publication, Settings
from builder.publish.index import rebuild_channel, refuse_unsigned
from builder.publish.layout import PRUNING, SETTINGS, entry_path
from builder.publish.read import list_entries, parse_model, read_channel, read_settings
from builder.publish.record import now, record
from builder.publish.refuse import (
    refuse_bad_base,
    refuse_bad_channel,
    refuse_bad_names,
    refuse_name_clash,
    refuse_other_bytes,
)
from builder.publish.render import encode_model
from builder.publish.sign import Signer
from builder.publish.target import ConflictError, MissingError, Target
from builder.publish.upload import LocalFile, describe_damage, upload

_PAUSE = 0.2
_PATIENCE = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """An image to publish: its entry, and the files that the entry names."""

    publication: Publication
    files: tuple[LocalFile, ...]


def publish(
    target: Target, jobs: Sequence[Job], channel: str, signer: Signer | None, sink: Sink
) -> tuple[str, ...]:
    """Publish `jobs` in `channel` and return the paths of the entries that are new.

    Nothing is written before all jobs are known to be acceptable. Raises UsageError, PublishError.
    """
    accept(target, [job.publication for job in jobs], channel, signer)
    for job in jobs:
        for file in job.files:
            upload(target, file, sink)
    new = tuple(path for job in jobs if (path := add_entry(target, job.publication, channel)))
    wait_for_pruning(target, sink)
    for job in jobs:
        for file in job.files:
            if describe_damage(target, file.stored, content=False):
                upload(target, file, sink)
    rebuild_channel(target, channel, signer)
    if new:
        record(target, "publish", channel, new)
    return new


def accept(target: Target, publications: Sequence[Publication], channel: str, signer: Signer | None) -> None:
    """Raise UsageError or PublishError if any of `publications` cannot become part of `channel`."""
    refuse_bad_channel(channel)
    state = read_channel(target, channel)
    refuse_unsigned(state.settings, target.place, signer)
    entries = list_entries(target)
    for publication in publications:
        refuse_bad_names(publication)
        refuse_other_bytes(publication, entries, target.place)
        refuse_name_clash(publication, state, target.place)
        state = replace(state, publications=(*state.publications, publication))


def add_entry(target: Target, publication: Publication, channel: str) -> str:
    """Write the entry of `publication` and return its path, "" if it says what is there already.

    Two publishers of different bytes who met in between both see the other's entry, since each looks after
    writing; whoever sees one withdraws and raises PublishError.
    """
    path = entry_path(channel, publication)
    found = _read_entry(target, path)
    if found == publication.model_copy(update={"published": found.published if found else ""}):
        return ""
    target.put_bytes(path, encode_model(publication))
    try:
        refuse_other_bytes(publication, list_entries(target), target.place)
    except PublishError:
        if found is None:
            target.delete(path)
        raise
    return path


def set_up(target: Target, change: Callable[[Settings | None], Settings]) -> Settings:
    """Let the settings of the catalog be what `change` makes of them (None: there is no catalog yet), whoever
    else is changing them. Raises UsageError, PublishError."""
    while True:
        info = target.stat(SETTINGS)
        before = read_settings(target)
        after = change(before)
        refuse_bad_base(after.base_url)
        if after.images_url:
            refuse_bad_base(after.images_url)
        if after == before:
            return after
        try:
            target.put_bytes(
                SETTINGS,
                encode_model(after),
                if_match=info.tag if info else "",
                if_absent=info is None,
            )
        except ConflictError:
            continue
        return after


def wait_for_pruning(target: Target, sink: Sink) -> None:
    """Return when nobody deletes images. Raises PublishError after ten minutes.

    Who prunes looks at the entries while holding the lock: an entry that is written later may find its image
    gone when the lock is, but not after.
    """
    begin = time.monotonic()
    while target.stat(PRUNING):
        if time.monotonic() - begin < _PAUSE:
            sink(Note(message=f"waiting for somebody who prunes {target.place}"))
        if time.monotonic() - begin > _PATIENCE:
            raise PublishError(
                "somebody has been pruning for ten minutes",
                where=f"{target.place}/{PRUNING}",
                fix="delete that file if nobody is, then publish again",
            )
        time.sleep(_PAUSE)


def stamp(publication: Publication) -> Publication:
    """`publication` as of now."""
    return publication.model_copy(update={"published": now()})


def _read_entry(target: Target, path: str) -> Publication | None:
    try:
        return parse_model(Publication, target.get(path), f"{target.place}/{path}")
    except MissingError:
        return None
