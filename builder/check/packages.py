"""The names of the installed packages, from the databases that are text (dpkg, apk, pacman)."""

from __future__ import annotations

import re

from builder.check.image import Image

_PACMAN = re.compile(rb"var/lib/pacman/local/(.+)-[^-]+-[^-]+/desc")


def installed_packages(image: Image) -> frozenset[str] | None:
    """Their names; None where no database could be read. A list given from outside goes first."""
    if image.options.packages is not None:
        return image.options.packages
    for path in ("lib/apk/db/installed", "usr/lib/apk/db/installed"):
        if (data := image.content(path)) is not None:
            return frozenset(
                line[2:] for line in data.decode("utf-8", "replace").splitlines() if line[:2] == "P:"
            )
    if (data := image.content("var/lib/dpkg/status")) is not None:
        return frozenset(_read_dpkg(data.decode("utf-8", "replace")))
    names = [match[1].decode() for path in image.tree.nodes if (match := _PACMAN.fullmatch(path))]
    return frozenset(names) if names else None


def _read_dpkg(text: str) -> list[str]:
    names = []
    for paragraph in text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in paragraph.splitlines() if line[:1] != " ")
        if fields.get("Status", "").endswith(" installed") and "Package" in fields:
            names.append(fields["Package"])
    return names
