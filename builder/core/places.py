"""Where wslimg keeps what it can make again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from builder.core.errors import UsageError


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`$WSLIMG_CACHE`, else `wslimg` below `$XDG_CACHE_HOME` or `~/.cache` (XDG).

    Root's and each user's part are apart even if they share a home directory (`sudo -E`): files in it are
    owned by uids that only one of them can change. Ask before entering a user namespace. Raises UsageError
    for a user without a home directory.
    """
    if chosen := environ.get("WSLIMG_CACHE"):
        parent = Path(chosen)
    else:
        home = environ.get("XDG_CACHE_HOME", "")
        parent = (Path(home) if os.path.isabs(home) else _home() / ".cache") / "wslimg"
    return parent.absolute() / f"uid-{os.geteuid()}"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a uid without an account, as containers have, and no $HOME
        raise UsageError(
            f"uid {os.geteuid()} has no home directory, where the cache would be",
            fix="set WSLIMG_CACHE to a folder that can be written",
        ) from None
