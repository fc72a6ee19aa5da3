"""What an image is called in a catalog: as the user says, else as its manifest does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from builder.core.errors import UsageError
from builder.model.catalog import Architecture, Publication, StoredFile
from builder.model.manifest import Manifest

_ARCHITECTURES: dict[str, Architecture] = {
    "amd64": "amd64",
    "x86_64": "amd64",
    "arm64": "arm64",
    "aarch64": "arm64",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Titles:
    """What the user says of an image; "" and None leave it to the manifest."""

    flavor: str = ""
    version: str = ""
    name: str = ""
    friendly_name: str = ""
    architecture: str = ""
    default: bool | None = None


def describe_titles(image: Path, manifest: Manifest | None, titles: Titles) -> Publication:
    """The entry for `image`, without its files. What the user says counts more than the manifest. Raises
    UsageError for what nobody says."""
    listed = manifest.catalog if manifest else None
    flavor = titles.flavor or (listed.flavor if listed else "")
    version = titles.version or (manifest.version if manifest else "")
    friendly_name = titles.friendly_name or (listed.friendly_name if listed else "")
    missing = [
        option
        for option, value in (
            ("--flavor", flavor),
            ("--version", version),
            ("--friendly-name", friendly_name),
        )
        if not value
    ]
    if missing:
        raise UsageError(
            f"nothing says what to call it: {', '.join(missing)} missing",
            where=str(image),
            fix="give these options, or a `catalog` in the recipe",
        )
    own_name = listed.name if listed and not titles.flavor and not titles.version else ""
    name = titles.name or own_name
    try:
        return Publication(
            flavor=flavor,
            version=version,
            architecture=_architecture(image, manifest, titles),
            name=f"{flavor}-{version}" if name in ("", flavor) else name,
            friendly_name=friendly_name,
            default=titles.default if titles.default is not None else bool(listed and listed.default),
            description=manifest.description if manifest else "",
            details=listed.details if listed else {},
            published="",
            image=StoredFile(path="", size=0, sha256="0" * 64),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{'.'.join(map(str, first['loc']))} {first['input']!r} cannot be published: {first['msg']}",
            where=str(image),
            fix="use letters, digits, '_' and '-', in versions '.', '+' and '~' as well",
        ) from None


def _architecture(image: Path, manifest: Manifest | None, titles: Titles) -> Architecture:
    """As the user, the manifest or the file's name says. Raises UsageError."""
    said = titles.architecture or (manifest.architecture if manifest else "")
    found = [said] if said else re.findall("|".join(_ARCHITECTURES), image.name)
    known = {_ARCHITECTURES[name] for name in found if name in _ARCHITECTURES}
    if len(known) != 1:
        raise UsageError(
            f"is for {said!r}, which Windows does not have"
            if said
            else "nothing says what machines it is for",
            where=str(image),
            fix="give --arch amd64 or --arch arm64",
        )
    return known.pop()
