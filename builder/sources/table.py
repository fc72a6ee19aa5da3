"""The kinds of source, by the name that a recipe uses."""

from __future__ import annotations

from builder.sources.bootstrap import BOOTSTRAP

SOURCES = {"bootstrap": BOOTSTRAP}
