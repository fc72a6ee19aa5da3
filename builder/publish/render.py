"""Renders the files of a channel from its document: pure, so that equal catalogs give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel

from builder.core.digests import sha256_bytes
from builder.model.catalog import ChannelDocument, ListedFlavor, ListedVersion
from builder.publish.layout import APPEND_LIST, CATALOG, LATEST, LIST, SUMS
from builder.wsl.lists import ARCHITECTURES


def render_channel(document: ChannelDocument, default: str) -> dict[str, bytes]:
    """Name -> content of every derived file of the channel. `default` is a flavor or empty."""
    files = {
        CATALOG: encode_model(document),
        LATEST: _encode(_latest(document)),
        LIST: render_list(document, default, full=True),
        APPEND_LIST: render_list(document, default, full=False),
    }
    return files | {SUMS: _render_sums(document, files)}


def render_schema() -> bytes:
    """The JSON Schema of `catalog.json`."""
    schema = ChannelDocument.model_json_schema(by_alias=True, mode="serialization")
    return _encode({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def encode_model(model: BaseModel) -> bytes:
    """The bytes of a catalog's JSON file: ASCII, indented, keys as the model has them."""
    return _encode(model.model_dump(mode="json", by_alias=True))


def render_list(document: ChannelDocument, default: str, *, full: bool) -> bytes:
    """The distribution list, laid out as Microsoft's own: `full` for DistributionListUrl, which needs a
    `Default` (the first of the flavors that run on the most architectures, if none is chosen), else for
    DistributionListUrlAppend, whose `Default` would take the place of Microsoft's.

    Each flavor begins with an entry of its own name, so that a registered distribution keeps its name when
    the version behind it moves. Pinned versions follow, the newest first: all can be installed, wsl.exe
    shows the first four entries. ASCII, since wsl.exe garbles anything else of a file:// address
    (microsoft/WSL src/windows/common/Distribution.cpp:ReadFromManifest).
    """
    flavors = {flavor.flavor: versions for flavor in document.flavors if (versions := _entries(flavor))}
    lists = _unique(flavors)
    name = next((flavor for flavor in lists if flavor.lower() == default.lower()), "")
    if full and not name:
        name = max(
            lists, key=lambda flavor: len(lists[flavor][0].keys() & ARCHITECTURES.values()), default=""
        )
    head = {"Default": name} if name else {}
    return (json.dumps({**head, "ModernDistributions": lists}, indent=4) + "\n").encode("ascii")


_Entry = dict[str, object]


def _entries(flavor: ListedFlavor) -> list[_Entry]:
    """The moving entry and the pinned ones, those still supported first; none if all are withdrawn."""
    offered = [version for version in flavor.versions if not version.withdrawn]
    if not offered:
        return []
    moving: _Entry = {"Name": flavor.flavor, "FriendlyName": _moving_title(flavor), "Default": True}
    for key, version in _current(flavor):
        moving |= _archives(version, only=key)
    pinned = sorted(offered, key=lambda version: (version.deprecated, not _is_current(version)))
    return [moving, *map(_pinned, pinned)]


def _current(flavor: ListedFlavor) -> Iterator[tuple[str, ListedVersion]]:
    """Each architecture with the version that is current on it."""
    for architecture in ARCHITECTURES:
        for version in flavor.versions:
            if any(one.current and one.architecture == architecture for one in version.images):
                yield architecture, version


def _pinned(version: ListedVersion) -> _Entry:
    return {"Name": version.name, "FriendlyName": _pinned_title(version), **_archives(version)}


def _archives(version: ListedVersion, *, only: str = "") -> _Entry:
    return {
        ARCHITECTURES[one.architecture]: {"Url": one.url, "Sha256": f"0x{one.image.sha256}"}
        for one in version.images
        if only in ("", one.architecture)
    }


def _moving_title(flavor: ListedFlavor) -> str:
    newest = next(version for version in flavor.versions if _is_current(version))
    return flavor.friendly_name + _deprecation(newest)


def _pinned_title(version: ListedVersion) -> str:
    title = version.friendly_name
    if version.version not in title:
        title += f" {version.version}"
    return title + _deprecation(version)


def _deprecation(version: ListedVersion) -> str:
    if not version.deprecated:
        return ""
    return f" (deprecated, use {version.use})" if version.use else " (deprecated)"


def _is_current(version: ListedVersion) -> bool:
    return any(one.current for one in version.images)


def _unique(flavors: dict[str, list[_Entry]]) -> dict[str, list[_Entry]]:
    """`flavors` without what could never be installed: wsl.exe takes the first of equal names, flavors
    included, whatever their case."""
    heads: dict[str, list[_Entry]] = {}
    taken: set[str] = set()
    for flavor, entries in flavors.items():
        if flavor.lower() not in taken:
            taken.add(flavor.lower())
            heads[flavor] = entries
    return {flavor: [entries[0], *_fresh(entries[1:], taken)] for flavor, entries in heads.items()}


def _fresh(entries: list[_Entry], taken: set[str]) -> Iterator[_Entry]:
    for entry in entries:
        name = str(entry["Name"]).lower()
        if name not in taken:
            taken.add(name)
            yield entry


def _latest(document: ChannelDocument) -> dict[str, object]:
    """For scripts that ask whether there is something newer."""
    return {
        flavor.flavor: {
            architecture: {
                "version": version.version,
                "name": version.name,
                **{
                    key: value
                    for one in version.images
                    if one.architecture == architecture
                    for key, value in (
                        ("url", one.url),
                        ("sha256", one.image.sha256),
                        ("size", one.image.size),
                    )
                },
            }
            for architecture, version in _current(flavor)
        }
        for flavor in document.flavors
    }


def _render_sums(document: ChannelDocument, files: dict[str, bytes]) -> bytes:
    """For `sha256sum -c` in the folder of the channel: its files, and every image and sidecar."""
    stored = {
        f"../{stored.path}": stored.sha256
        for flavor in document.flavors
        for version in flavor.versions
        for one in version.images
        for stored in (one.image, *one.sidecars)
    }
    sums = stored | {name: sha256_bytes(data) for name, data in files.items()}
    return "".join(f"{sums[path]}  {path}\n" for path in sorted(sums)).encode("ascii")


def _encode(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode("ascii")
