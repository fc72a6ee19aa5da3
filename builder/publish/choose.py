"""Which target an address means."""

from __future__ import annotations

from pathlib import Path

from builder.core.errors import UsageError
from builder.publish.directory import DirectoryTarget
from builder.publish.target import Target

_FILE = "file://"


def open_target(address: str, *, create: bool = False) -> Target:
    """The target at `address`: a folder. `create` makes one that is not there. Raises UsageError."""
    path = address.removeprefix(_FILE)
    if "://" in path:
        raise UsageError(
            f"there is no target for {path.partition('://')[0]}:// addresses",
            where=address,
            fix="give a folder; mount a share to write to it",
        )
    return DirectoryTarget(_make(Path(path)) if create else Path(path))


def _make(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made: {error.strerror}", where=str(folder)) from None
    return folder
