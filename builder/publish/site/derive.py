"""Makes the pages of a catalog equal to its channels, whoever else is doing so at the same time.

Which page was made from what is kept in one file, so that a publication writes the few pages it changes. As
with the lists of channels nobody is locked out: who wrote a page looks again, until all agree.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from builder.core.digests import sha256_bytes
from builder.core.errors import PublishError
from builder.core.events import Progress, Sink, discard
from builder.model.catalog import ChannelDocument, Settings
from builder.publish.layout import CATALOG
from builder.publish.read import parse_model, read_or_nothing, require_settings
from builder.publish.render import encode_model
from builder.publish.site.contents import ReadContents, read_contents
from builder.publish.site.describe import Site, describe_site
from builder.publish.site.pages import Page, plan_pages
from builder.publish.site.paths import INDEX, SEARCH, STATE
from builder.publish.site.state import State, read_state
from builder.publish.target import Target

_ROUNDS = 50
_LONGEST_PAUSE = 1.0
_CONTENTS = 256
_OURS = b'<meta name="generator" content="wslimg">'


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where the catalog is read, and where its pages go: the same, or a folder of their own."""

    catalog: Target
    pages: Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """The paths of pages that were written and of those that were deleted, sorted, and how many there are."""

    written: tuple[str, ...]
    deleted: tuple[str, ...]
    pages: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    """What one look has done: path -> digest of the pages that were written, which others may overwrite;
    `settled` says that there was nothing to do."""

    pages: int = 0
    written: Mapping[str, str] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    settled: bool = False


def update_site(target: Target, settings: Settings, channel: str) -> None:
    """Bring the pages up to date after a change of `channel`, if the catalog has any. Raises PublishError."""
    if settings.site:
        derive_site(Places(catalog=target, pages=target), (channel,), discard, thorough=False)


def derive_site(places: Places, channels: Iterable[str], sink: Sink, *, thorough: bool) -> Changes:
    """Let the pages be what `channels`, and those they tell of already, say; returns what was done.

    `thorough` compares every page with what it should be, and reads every inventory again; otherwise a page
    counts as right whose key is. Raises PublishError, for an index.html that somebody else wrote, too.
    """
    read = _reader(places.catalog, sink)
    written: set[str] = set()
    deleted: set[str] = set()
    last = _Round()
    for attempt in range(_ROUNDS):
        last = _run_round(places, channels, read, last, thorough=thorough and not attempt, sink=sink)
        if last.settled:
            return Changes(written=_sorted(written), deleted=_sorted(deleted), pages=last.pages)
        written |= last.written.keys()
        deleted |= last.deleted
        sink = discard
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.01 * attempt)))  # noqa: S311 - no secret
    raise PublishError(
        f"the pages were changed by others {_ROUNDS} times in a row",
        where=places.pages.place,
        fix="run `wslimg catalog site` when there is less traffic",
    )


def find_wrong_pages(target: Target, channels: Iterable[str], sink: Sink) -> tuple[str, ...]:
    """The paths of the pages beside the catalog that are not what it says. Raises PublishError."""
    places = Places(catalog=target, pages=target)
    site = _read_site(places, {*read_state(target).channels, *channels})
    pages = plan_pages(site, _reader(target, sink), lambda: b"")
    return tuple(path for path in sorted(pages) if not _is_right(target, path, pages[path], ""))


def remove_site(target: Target) -> Changes:
    """Delete every page that was written, and return which. Raises PublishError."""
    gone = _delete(target, read_state(target).pages)
    target.delete(STATE)
    return Changes(written=(), deleted=_sorted(gone), pages=0)


def _run_round(
    places: Places, channels: Iterable[str], read: ReadContents, last: _Round, *, thorough: bool, sink: Sink
) -> _Round:
    """Make right what is not, and look at what `last` wrote once more. What is derived is written before
    `pages.json` says so: whoever is killed between leaves pages that are written again."""
    state = read_state(places.pages)
    _refuse_foreign(places.pages, state)
    names = _sorted({*state.channels, *channels})
    site = _read_site(places, names)
    pages = plan_pages(site, read, lambda: _read_search(places.pages, thorough=thorough))
    suspects = dict.fromkeys(pages, "") if thorough else last.written
    written = _write_stale(places.pages, pages, state, suspects, sink)
    deleted = _delete(places.pages, state.pages.keys() - pages.keys())
    after = State(channels=names, pages={path: page.key for path, page in sorted(pages.items())})
    if after != state:
        places.pages.put_bytes(STATE, encode_model(after))
    settled = after == state and not written and not deleted
    return _Round(pages=len(pages), written=written, deleted=deleted, settled=settled)


def _reader(target: Target, sink: Sink) -> ReadContents:
    """Reads what is inside images, that of neighbouring versions once."""
    return functools.lru_cache(_CONTENTS)(functools.partial(read_contents, target, sink))


def _sorted(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(paths))


def _read_site(places: Places, channels: Iterable[str]) -> Site:
    """The site of what `channels` publish; one that has no lists yet is left out."""
    settings = require_settings(places.catalog)
    paths = [f"{channel}/{CATALOG}" for channel in sorted(channels)]
    found = ((path, read_or_nothing(places.catalog, path)) for path in paths)
    documents = [
        parse_model(ChannelDocument, data, f"{places.catalog.place}/{path}") for path, data in found if data
    ]
    return describe_site(settings, documents, beside=places.catalog is places.pages)


def _read_search(target: Target, *, thorough: bool) -> bytes:
    """The search script that is there; nothing if its packages are not to be relied upon."""
    return b"" if thorough else read_or_nothing(target, SEARCH) or b""


def _write_stale(
    target: Target, pages: Mapping[str, Page], state: State, suspects: Mapping[str, str], sink: Sink
) -> dict[str, str]:
    """Write the pages that were made from something else, and those of `suspects` (path -> digest, "" where
    that is unknown) that others have overwritten. Returns the digests of what was written."""
    written = {}
    for number, (path, page) in enumerate(pages.items(), 1):
        stale = state.pages.get(path) != page.key
        if stale or (path in suspects and not _is_right(target, path, page, suspects[path])):
            data = page.render()
            target.put_bytes(path, data)
            written[path] = sha256_bytes(data)
        sink(Progress(label="pages", done=number, total=len(pages), unit="pages"))
    return written


def _is_right(target: Target, path: str, page: Page, digest: str) -> bool:
    found = read_or_nothing(target, path)
    return found is not None and sha256_bytes(found) == (digest or sha256_bytes(page.render()))


def _delete(target: Target, paths: Iterable[str]) -> frozenset[str]:
    gone = frozenset(paths)
    for path in sorted(gone):
        target.delete(path)
    return gone


def _refuse_foreign(target: Target, state: State) -> None:
    """Raise PublishError if there is an index.html that is none of ours."""
    found = None if INDEX in state.pages else read_or_nothing(target, INDEX)
    if found and _OURS not in found:
        raise PublishError(
            "is a page that wslimg did not write",
            where=f"{target.place}/{INDEX}",
            fix="move it away, or give --out FOLDER to have the pages somewhere else",
        )
