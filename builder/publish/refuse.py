"""What must not be published: other bytes under a published version, and names that lead to two things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builder.core.errors import PublishError, UsageError
from builder.model.catalog import Publication
from builder.publish.channel import Channel
from builder.publish.layout import RESERVED, EntryName, entry_path, parse_entry_path
from builder.wsl.lookup import doubt_file_url
from builder.wsl.names import doubt_name, refuse_name


def refuse_other_bytes(publication: Publication, entries: Iterable[EntryName], place: str) -> None:
    """Raise PublishError if the version is published for the same architecture, in whatever channel, with
    another digest."""
    mine = parse_entry_path(entry_path("any", publication))
    assert mine is not None
    for name in entries:
        same = (name.flavor, name.version, name.architecture) == (
            mine.flavor,
            mine.version,
            mine.architecture,
        )
        if same and name.digest != mine.digest:
            raise PublishError(
                f"{name.flavor} {name.version} for {name.architecture} is published in channel "
                f"{name.channel} with sha256 {name.digest}..., this image has {mine.digest}...",
                where=place,
                fix="publish changed images under a new version",
            )


def refuse_name_clash(publication: Publication, channel: Channel, place: str) -> None:
    """Raise PublishError if a name of `publication` would lead to another flavor or version. wsl.exe looks
    names of flavors and versions up together, and ignores case."""
    wanted = {publication.flavor.lower(): publication.flavor, publication.name.lower(): publication.name}
    for taken, owner in _names(channel.publications):
        for lower, name in wanted.items():
            if taken == lower and owner not in _owners(publication):
                raise PublishError(
                    f"the name {name!r} is that of {owner} in channel {channel.name}",
                    where=place,
                    fix="choose another: --name or --flavor, or `catalog` in the recipe",
                )


def refuse_bad_names(publication: Publication) -> None:
    """Raise UsageError if WSL or Windows does not take the names of `publication`."""
    for name in (publication.flavor, publication.name):
        if refusal := refuse_name(name):
            raise UsageError(f"the name {name!r} {refusal}", fix="choose another: --name or --flavor")
        for doubt in doubt_name(name):
            raise UsageError(f"the name {name!r} {doubt}", fix="choose another: --name or --flavor")
    if not publication.name.startswith(publication.flavor) or publication.name == publication.flavor:
        raise UsageError(
            f"the name {publication.name!r} of a version has to be {publication.flavor!r} and more",
            fix=f"leave it out to get {publication.flavor}-{publication.version}",
        )


def refuse_bad_base(url: str) -> None:
    """Raise UsageError unless wsl.exe can read below the address `url`."""
    problem = ""
    if not url.startswith(("https://", "http://", "file://")):
        problem = "is no https://, http:// or file:// address"
    elif not url.isascii() or any(character in url for character in ' "<>?#\\') or not url.isprintable():
        problem = "has characters that do not belong into an address"
    elif url.startswith("file://"):
        problem = doubt_file_url(url.rstrip("/") + "/x")
    elif not url.partition("://")[2].strip("/"):
        problem = "names no server"
    if problem:
        raise UsageError(
            f"the address {url!r} {problem}",
            fix="give an address under which Windows sees the catalog, e.g. https://wsl.example.com/catalog",
        )


def refuse_bad_channel(name: str) -> None:
    """Raise UsageError for the name of a channel that is the name of something else in a catalog."""
    if name in RESERVED:
        raise UsageError(f"no channel can be called {name!r}", fix="choose another name, e.g. stable or beta")


def _owners(publication: Publication) -> tuple[str, str]:
    return (f"flavor {publication.flavor}", f"{publication.flavor} {publication.version}")


def _names(publications: Iterable[Publication]) -> Iterator[tuple[str, str]]:
    """Every name that is taken, in lower case, and by what."""
    for one in publications:
        yield one.flavor.lower(), f"flavor {one.flavor}"
        yield one.name.lower(), f"{one.flavor} {one.version}"
