"""Makes the derived files of a channel equal to its entries, whoever else is doing so at the same time.

No lock and no condition: everybody who wrote looks again, until entries and lists agree. Whoever writes last
sees everything, so nothing is lost; whoever was killed is made up for by the next one.
"""

from __future__ import annotations

import random
import time

from builder.core.errors import PublishError
from builder.model.catalog import Settings
from builder.publish.channel import Channel, describe_channel
from builder.publish.layout import SCHEMA, SIGNATURE, SIGNED
from builder.publish.read import read_channel, read_or_nothing
from builder.publish.render import render_channel, render_schema
from builder.publish.sign import Signer
from builder.publish.site.derive import update_site
from builder.publish.target import Target

_ROUNDS = 200
_LONGEST_PAUSE = 1.0


def rebuild_channel(target: Target, name: str, signer: Signer | None) -> bool:
    """Write what differs from what the entries of the channel `name` say, and say whether anything did.

    A signature that does not fit is never left: it is replaced by one of `signer`, or removed. Raises
    PublishError, before anything is written, for a signed catalog without a signer.
    """
    for attempt in range(_ROUNDS):
        channel = read_channel(target, name)
        refuse_unsigned(channel.settings, target.place, signer)
        if not _write_changes(target, channel, signer):
            update_site(target, channel.settings, name)
            return attempt > 0
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.01 * attempt)))  # noqa: S311 - no secret
    raise PublishError(
        f"the lists of channel {name} were changed by others {_ROUNDS} times in a row",
        where=target.place,
        fix="run `wslimg catalog rebuild` when there is less traffic",
    )


def refuse_unsigned(settings: Settings, place: str, signer: Signer | None) -> None:
    """Raise PublishError if the catalog is signed and there is nothing to sign with."""
    if settings.signed and signer is None:
        raise PublishError(
            "the catalog is signed, and without the key its signatures would be wrong",
            where=place,
            fix="give --sign KEY, or give signatures up: wslimg catalog init TARGET --unsigned",
        )


def expected_files(channel: Channel) -> dict[str, bytes]:
    """Path -> content of what is derived from `channel`, without signatures."""
    files = render_channel(describe_channel(channel), channel.settings.default)
    return {SCHEMA: render_schema()} | {f"{channel.name}/{name}": data for name, data in files.items()}


def _write_changes(target: Target, channel: Channel, signer: Signer | None) -> bool:
    """One round; whether anything had to be written. Signing, which may fail, comes first; the old signature
    of what changes goes before it does, so that a killed publisher leaves none rather than a wrong one."""
    expected = expected_files(channel)
    changed = [path for path, data in expected.items() if read_or_nothing(target, path) != data]
    stale = [path for path in _signed_paths(channel) if _is_stale(target, path, expected[path], signer)]
    signatures = {path: signer.sign(expected[path]) for path in stale} if signer else {}
    for path in stale:
        target.delete(path + SIGNATURE)
    for path in changed:
        target.put_bytes(path, expected[path])
    for path, signature in signatures.items():
        target.put_bytes(path + SIGNATURE, signature)
    return bool(changed or stale)


def _signed_paths(channel: Channel) -> tuple[str, ...]:
    return tuple(f"{channel.name}/{name}" for name in SIGNED)


def _is_stale(target: Target, path: str, data: bytes, signer: Signer | None) -> bool:
    """Whether what is there as the signature of `path` is not one of `data` by `signer`; None wants none."""
    found = read_or_nothing(target, path + SIGNATURE)
    if signer is None:
        return found is not None
    return found is None or not signer.matches(data, found)
