"""Copies one channel with all it needs to another catalog: a mirror of a site, or behind an air gap."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from builder.core.events import Sink
from builder.model.catalog import Settings, StoredFile
from builder.publish.index import rebuild_channel, refuse_unsigned
from builder.publish.layout import ENTRIES, MARKS
from builder.publish.places import place_lists
from builder.publish.publish import set_up
from builder.publish.read import read_channel
from builder.publish.record import record
from builder.publish.sign import Signer
from builder.publish.target import Target
from builder.publish.upload import LocalFile, describe_damage, upload


def export(
    source: Target,
    target: Target,
    channel: str,
    base_url: str,
    signer: Signer | None,
    sink: Sink,
    *,
    images_url: str = "",
) -> int:
    """Let `channel` of `target` be that of `source`, with addresses below `base_url`, or of images as
    `images_url` says (`place_lists`); returns how many files were copied. Images that `target` has are not
    copied again. Raises PublishError.
    """
    origin = read_channel(source, channel)

    def settle(before: Settings | None) -> Settings:
        signed = signer is not None or (before is not None and before.signed)
        here = {"base_url": base_url, "images_url": before.images_url if before else "", "signed": signed}
        return place_lists(origin.settings.model_copy(update=here), target, images_url)

    set_up(target, settle)
    refuse_unsigned(read_channel(target, channel).settings, target.place, signer)
    files = {file.path: file for one in origin.publications for file in (one.image, *one.sidecars)}
    copied = sum(_copy(source, target, files[path], sink) for path in sorted(files))
    for folder in (ENTRIES, MARKS):
        _mirror(source, target, f"{folder}{channel}/")
    rebuild_channel(target, channel, signer)
    record(target, f"export from {source.place}", channel, tuple(sorted(files)))
    return copied


def _copy(source: Target, target: Target, stored: StoredFile, sink: Sink) -> bool:
    if not describe_damage(target, stored):
        return False
    with TemporaryDirectory(prefix="wslimg-") as folder:
        local = Path(folder, "file")
        with local.open("wb") as file:
            for chunk in source.chunks(stored.path):
                file.write(chunk)
        return upload(target, LocalFile(source=local, stored=stored), sink)


def _mirror(source: Target, target: Target, prefix: str) -> None:
    """Let what is below `prefix` be the same: new first, then what is gone."""
    wanted = source.list(prefix)
    for path in wanted:
        target.put_bytes(path, source.get(path))
    for path in set(target.list(prefix)) - set(wanted):
        target.delete(path)
