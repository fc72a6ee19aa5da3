"""What networked commands see of the machine that builds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """`env` are variables, for commands that do not set them themselves; `files` are contents by name, shown
    below `/run/wslimg`. Both decide how the network is reached, so they are in no key, layer or image."""

    env: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()
