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
from builder.sources.image import ENGINE
from builder.sources.oci.local import Files, open_files
from builder.sources.oci.reference import parse_reference

_ENDINGS = re.compile(r"(\.(tar|tgz|txz|tzst|gz|xz|zst|bz2|wsl|oci))+$")
_DOCKERFILE = "Dockerfile"
_IS_DOCKERFILE = re.compile(rb"\s*(#[^\n]*\n\s*)*(ARG\s[^\n]*\n\s*)*FROM\s", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """`source` is the recipe's, with paths as they were named, `otherwise` one to try where that has nothing.
    `name` and `version` need not be legal."""

    source: Mapping[str, str | Mapping[str, str]]
    name: str
    version: str = ""
    otherwise: Mapping[str, str | Mapping[str, str]] | None = None


def guess_source(text: str, blobs: Blobs) -> Guess:
    """What `text` names: a file or folder if there is one, else an address, else an image of a registry or of
    a container engine.

    Raises UsageError for a path that does not exist, ResolveError for what cannot be read.
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
    reference = parse_reference(text.removeprefix(ENGINE))
    return Guess(
        source={"image": text},
        name=reference.path.rpartition("/")[2],
        version=reference.tag,
        otherwise=None if text.startswith(ENGINE) else {"image": f"{ENGINE}{text}"},
    )


def _guess_folder(path: Path) -> Guess:
    name = path.resolve().name
    if (path / "oci-layout").is_file():
        return Guess(source={"image": {"layout": str(path)}}, name=name)
    if (path / _DOCKERFILE).is_file() and not (path / "etc").is_dir():
        return Guess(source={"dockerfile": str(path)}, name=name)
    return Guess(source={"directory": str(path)}, name=name)


def _guess_file(path: Path, blobs: Blobs) -> Guess:
    with path.open("rb") as file:
        if _IS_DOCKERFILE.match(file.read(4096)):
            source = {"context": str(path.parent), "file": path.name}
            return Guess(source={"dockerfile": source}, name=path.resolve().parent.name)
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
