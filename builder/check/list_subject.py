"""A distribution list as the rules see it: its text, and what `wsl.exe` makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from builder.wsl.lists import ARCHITECTURES, DistributionList, ListError, Version, parse_list


class ListSubject:
    """A distribution list: its bytes, and what `wsl.exe` makes of them; empty where it refuses them."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def refusals(self) -> tuple[ListError, ...]:
        """Why it is refused when fetched, and when read from a file:// address."""
        found = []
        for local in (False, True):
            try:
                parse_list(self.data, local=local)
            except ListError as error:
                found.append(error)
        return tuple(found)

    @cached_property
    def parsed(self) -> DistributionList:
        """The list of all architectures."""
        try:
            return parse_list(self.data, local=False)
        except ListError:
            return DistributionList()

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The document as plain JSON, {} where it is none."""
        try:
            value = json.loads(self.data.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def versions(self) -> Iterator[tuple[str, Version]]:
        """Every version with its flavor."""
        for flavor in self.parsed.flavors:
            for version in flavor.versions:
                yield flavor.name, version

    def urls(self) -> Iterator[tuple[str, str]]:
        """Every address with the place it stands at."""
        for flavor, version in self.versions():
            for architecture in ARCHITECTURES:
                if archive := version.archive(architecture):
                    yield f"{flavor}/{version.name}/{architecture}", archive.url


def looks_like_list(start: bytes) -> bool:
    """Whether a file that begins with `start` is JSON and no archive."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1] in (b"{", b"[")
