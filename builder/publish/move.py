"""Promotes, rolls back and deprecates: what a name leads to changes, images never do."""

from __future__ import annotations

from collections.abc import Iterable

from builder.core.errors import PublishError
from builder.core.events import Sink
from builder.core.suggestions import did_you_mean
from builder.model.catalog import Mark, MarkKind, Publication
from builder.publish.channel import Channel, drop_conflicts, find_current
from builder.publish.index import rebuild_channel, refuse_unsigned
from builder.publish.layout import mark_path
from builder.publish.publish import accept, add_entry, stamp, wait_for_pruning
from builder.publish.read import read_channel
from builder.publish.record import now, record
from builder.publish.render import encode_model
from builder.publish.sign import Signer
from builder.publish.target import Target
from builder.publish.upload import describe_damage
from builder.publish.versions import version_key


def promote(
    target: Target, flavor: str, version: str, source: str, channel: str, signer: Signer | None, sink: Sink
) -> str:
    """Let `channel` have the version that `source` has ("": its current one), and return it.

    The entries name the same images, nothing is copied. A version that was rolled back in `channel` is
    offered again. Raises PublishError.
    """
    state = read_channel(target, source)
    version = version or current_version(state, flavor)
    chosen = [one for one in find_flavor(state, flavor) if one.version == version]
    if not chosen:
        raise _no_version(state, flavor, version)
    accept(target, chosen, channel, signer)
    for publication in chosen:
        add_entry(target, stamp(publication), channel)
    wait_for_pruning(target, sink)
    _require_images(target, chosen)
    target.delete(mark_path(channel, flavor, version, "withdrawn"))
    rebuild_channel(target, channel, signer)
    record(target, f"promote from {source}", channel, (f"{flavor} {version}",))
    return version


def roll_back(target: Target, flavor: str, channel: str, to: str, signer: Signer | None) -> tuple[str, ...]:
    """Let the name `flavor` lead to the version before, or to version `to`, and return what was withdrawn.

    Withdrawn versions leave the lists; entries and images stay. Raises PublishError, if there is no version
    to go back to, too.
    """
    state = read_channel(target, channel)
    refuse_unsigned(state.settings, target.place, signer)
    withdrawn = plan_rollback(state, flavor, to)
    for version in withdrawn:
        _put_mark(target, channel, _mark(flavor, version, "withdrawn"))
    rebuild_channel(target, channel, signer)
    record(target, "rollback", channel, tuple(f"{flavor} {version}" for version in withdrawn))
    return withdrawn


def plan_rollback(channel: Channel, flavor: str, to: str) -> tuple[str, ...]:
    """The versions to withdraw so that `flavor` leads to `to` ("": the version before the current one)."""
    publications = find_flavor(channel, flavor)
    if to and to not in {one.version for one in publications}:
        raise _no_version(channel, flavor, to)
    planned: list[str] = []
    current = current_version(channel, flavor)
    while current != to and (to or not planned):
        planned.append(current)
        left = [one for one in publications if one.version not in planned]
        current = _newest(find_current(channel, left).values())
        if not current:
            raise PublishError(
                f"{flavor} has no {to or 'earlier version'} in channel {channel.name} to go back to",
                fix=f"promote one to {channel.name} first",
            )
    return tuple(planned)


def deprecate(
    target: Target, flavor: str, version: str, channel: str, use: str, signer: Signer | None, *, undo: bool
) -> tuple[str, ...]:
    """Mark `version` of `flavor` ("": all there are) as deprecated in favour of `use`, or with `undo`
    take that back. Returns the versions. Raises PublishError."""
    state = read_channel(target, channel)
    refuse_unsigned(state.settings, target.place, signer)
    known = sorted({one.version for one in find_flavor(state, flavor)}, key=version_key)
    versions = tuple(one for one in known if version in ("", one))
    if not versions:
        raise _no_version(state, flavor, version)
    for one in versions:
        if undo:
            target.delete(mark_path(channel, flavor, one, "deprecated"))
        else:
            _put_mark(target, channel, _mark(flavor, one, "deprecated", use))
    rebuild_channel(target, channel, signer)
    action = "lift deprecation" if undo else "deprecate"
    record(target, action, channel, tuple(f"{flavor} {one}" for one in versions))
    return versions


def find_flavor(channel: Channel, flavor: str) -> tuple[Publication, ...]:
    """The publications of `flavor`. Raises PublishError where there is none."""
    found = tuple(one for one in drop_conflicts(channel.publications) if one.flavor == flavor)
    if not found:
        known = {one.flavor for one in channel.publications}
        raise PublishError(
            f"channel {channel.name} has no flavor {flavor!r}{did_you_mean(flavor, known)}",
            fix=f"it has: {', '.join(sorted(known)) or 'none'}",
        )
    return found


def current_version(channel: Channel, flavor: str) -> str:
    """The newest version that the name `flavor` stands for. Raises PublishError where all are withdrawn."""
    version = _newest(find_current(channel, find_flavor(channel, flavor)).values())
    if not version:
        raise PublishError(f"every version of {flavor} in channel {channel.name} is withdrawn")
    return version


def _newest(publications: Iterable[Publication]) -> str:
    return max((one.version for one in publications), key=version_key, default="")


def _require_images(target: Target, publications: list[Publication]) -> None:
    for publication in publications:
        if damage := describe_damage(target, publication.image, content=False):
            raise PublishError(
                damage, where=f"{target.place}/{publication.image.path}", fix="publish the image again"
            )


def _mark(flavor: str, version: str, kind: MarkKind, use: str = "") -> Mark:
    return Mark(kind=kind, flavor=flavor, version=version, use=use, marked=now())


def _put_mark(target: Target, channel: str, mark: Mark) -> None:
    target.put_bytes(mark_path(channel, mark.flavor, mark.version, mark.kind), encode_model(mark))


def _no_version(channel: Channel, flavor: str, version: str) -> PublishError:
    known = sorted({one.version for one in channel.publications if one.flavor == flavor}, key=version_key)
    return PublishError(
        f"channel {channel.name} has no version {version!r} of {flavor}", fix=f"it has: {', '.join(known)}"
    )
