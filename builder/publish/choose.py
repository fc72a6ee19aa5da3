"""Which target an address means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.core.errors import UsageError
from builder.core.http import without_login
from builder.publish.directory import DirectoryTarget
from builder.publish.oci import OciTarget
from builder.publish.rclone import PREFIX, RcloneTarget
from builder.publish.target import Target
from builder.publish.web_address import WEB_ADDRESSES, open_web

_FILE = "file://"
_BUCKETS = ("s3://", "az://", "abfs://", "abfss://", "gs://")


def open_target(address: str, *, create: bool = False) -> Target:
    """The target at `address`, be it a folder or anything else. `create` makes a folder that is not there.

    Tokens and headers for a web server come from the environment (`web_login`); without them, login and
    password are those in the address or in ~/.netrc. Raises UsageError.
    """
    if address.startswith(WEB_ADDRESSES):
        return open_web(address, os.environ)
    if address.startswith(("oci://", "oci+http://")):
        return OciTarget(address)
    if address.startswith(PREFIX):
        return RcloneTarget(address)
    path = address.removeprefix(_FILE)
    if "://" in path:
        return _open_with_extra(address)
    return DirectoryTarget(_make(Path(path)) if create else Path(path))


def _open_with_extra(address: str) -> Target:
    """The target at `address`, of a kind whose library not everybody installs."""
    if address.startswith(_BUCKETS):
        with _extra(address, "cloud"):
            from builder.publish.objects_address import open_objects

            return open_objects(address)
    if address.startswith("smb://"):
        with _extra(address, "smb"):
            from builder.publish.smb import SmbTarget
            from builder.publish.smb_address import parse_share

            return SmbTarget(parse_share(address))
    raise UsageError(
        f"there is no target for {address.partition('://')[0]}:// addresses",
        where=without_login(address),
        fix="give a folder, a mounted share, an address with https, s3, az, gs, smb or oci, "
        "or rclone:REMOTE:PATH for the rest",
    )


@contextmanager
def _extra(address: str, name: str) -> Iterator[None]:
    """What is imported in the block comes with the extra `name` of wslimg."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("builder"):
            raise
        raise UsageError(
            f"addresses of this kind need the package {error.name}",
            where=without_login(address),
            fix=f"pip install 'wslimg[{name}]'",
        ) from None


def _make(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made: {error.strerror}", where=str(folder)) from None
    return folder
