"""What somebody means who names an image, an archive or a folder without a recipe."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from builder.core.blobs import Blobs
from builder.core.errors import UsageError
from builder.sources.oci.local import Files, open_files
from builder.sources.oci.reference import parse_reference

_ENDINGS = re.compile(r"(\.(tar|tgz|txz|tzst|gz|xz|zst|bz2|wsl|oci))+$")
_DOCKERFILE_FIX = (
    "build it first: docker build -t NAME . && docker save -o NAME.tar NAME && wslimg convert NAME.tar"
)
_DOCKERFILE = re.compile(rb"\s*(#[^\n]*\n\s*)*(ARG\s[^\n]*\n\s*)*FROM\s", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """`source` is the recipe's, with paths as they were named; `name` and `version` need not be legal."""

    source: Mapping[str, str | Mapping[str, str]]
    name: str
    version: str = ""


def guess_source(text: str, blobs: Blobs) -> Guess:
    """What `text` names: a file or folder if there is one, else an address, else an image of a registry.

    Raises UsageError for a path that does not exist or a Dockerfile, ResolveError for what cannot be read.
    """
    path = Path(text)
    if path.is_dir():
        return _guess_folder(path)
    if path.exists():
        return _guess_file(path, blobs)
    if text.startswith(("http://", "https://")):
        return Guess(source={"archive": {"url": text}}, name=_stem(Path(urlsplit(text).path)))
    if text.startswith((".", "/", "~")) or _ENDINGS.search(text):
        raise UsageError(
            "does not exist", where=text, fix="name a file, a folder, or an image as [HOST/]NAME[:TAG]"
        )
    reference = parse_reference(text)
    return Guess(source={"image": text}, name=reference.path.rpartition("/")[2], version=reference.tag)


def _guess_folder(path: Path) -> Guess:
    name = path.resolve().name
    if (path / "oci-layout").is_file():
        return Guess(source={"image": {"layout": str(path)}}, name=name)
    return Guess(source={"directory": str(path)}, name=name)


def _guess_file(path: Path, blobs: Blobs) -> Guess:
    with path.open("rb") as file:
        if _DOCKERFILE.match(file.read(4096)):
            raise UsageError("is a Dockerfile, expected an image", where=str(path), fix=_DOCKERFILE_FIX)
    files = open_files(path, str(path), blobs)
    if _has(files, "oci-layout") or (_has(files, "manifest.json") and not _has(files, "etc/passwd")):
        return Guess(source={"image": {"archive": str(path)}}, name=_stem(path))
    return Guess(source={"archive": str(path)}, name=_stem(path))


def _has(files: Files, name: str) -> bool:
    opened = files.open(name)
    if opened is None:
        return False
    os.close(opened[0])
    return True


def _stem(path: Path) -> str:
    return _ENDINGS.sub("", path.name.lower())
