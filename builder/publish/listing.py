"""Listings of folders, as web servers give them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

_DAV = "{DAV:}"


def parse_multistatus(data: bytes, folder: str) -> Iterator[tuple[str, bool]]:
    """(name, whether it is a folder) of what the answer to PROPFIND with depth 1 names below `folder`, the
    path of the address. Raises ValueError for what is no multistatus (RFC 4918, 13)."""
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - Expat limits entities since 2.4.1
    except ElementTree.ParseError as error:
        raise ValueError(f"no XML: {error}") from None
    if root.tag != f"{_DAV}multistatus":
        raise ValueError(f"no multistatus but {root.tag}")
    for response in root.iter(f"{_DAV}response"):
        path = unquote(urlsplit(response.findtext(f"{_DAV}href", "")).path)
        is_folder = response.find(f".//{_DAV}resourcetype/{_DAV}collection") is not None
        name = path.rstrip("/").removeprefix(folder.rstrip("/")).strip("/")
        if name and "/" not in name:
            yield name, is_folder


def parse_autoindex(data: bytes, folder: str) -> Iterator[tuple[str, bool]]:  # noqa: ARG001 - as parse_multistatus
    """The same from nginx's `autoindex_format json` (ngx_http_autoindex_module)."""
    rows = json.loads(data)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "name" in row for row in rows):
        raise ValueError("no list of files")
    for row in rows:
        yield str(row["name"]), row.get("type") == "directory"
