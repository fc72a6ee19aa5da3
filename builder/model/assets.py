"""Files that a recipe names for WSL itself, read and converted, with defaults filled in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Assets:
    """`icon` is an ICO file of at most 1 MiB; `terminal_profile` JSON, None for WSL's own default."""

    icon: bytes
    terminal_profile: bytes | None = None
