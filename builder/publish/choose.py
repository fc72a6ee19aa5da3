"""Which target an address means."""

from __future__ import annotations

import os
from pathlib import Path

from builder.core.errors import UsageError
from builder.publish.directory import DirectoryTarget
from builder.publish.oci import OciTarget
from builder.publish.target import Target
from builder.publish.web_address import WEB_ADDRESSES, open_web

_FILE = "file://"


def open_target(address: str, *, create: bool = False) -> Target:
    """The target at `address`: a folder, a web server, or a registry. `create` makes a folder that is
    not there.

    Tokens and headers for a web server come from the environment (`web_login`); without them, login and
    password are those in the address or in ~/.netrc. Raises UsageError.
    """
    if address.startswith(WEB_ADDRESSES):
        return open_web(address, os.environ)
    if address.startswith(("oci://", "oci+http://")):
        return OciTarget(address)
    path = address.removeprefix(_FILE)
    if "://" in path:
        raise UsageError(
            f"there is no target for {path.partition('://')[0]}:// addresses",
            where=address,
            fix="give a folder, a mounted share, an http(s):// address that takes PUT, or oci://HOST/PATH",
        )
    return DirectoryTarget(_make(Path(path)) if create else Path(path))


def _make(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made: {error.strerror}", where=str(folder)) from None
    return folder
