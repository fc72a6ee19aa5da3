"""Where everything is in a catalog: pure functions between names and paths, which are relative with `/`.

    settings.json
    images/FLAVOR/VERSION/FLAVOR-VERSION-ARCH.DIGEST.wsl     never changes, like the sidecars beside it
    entries/CHANNEL/FLAVOR/VERSION-ARCH.DIGEST.json          one for each publication
    marks/CHANNEL/FLAVOR/VERSION.deprecated.json             what was decided later
    retired/CHANNEL/FLAVOR/VERSION-ARCH.DIGEST.json          pruned entries whose images are still there
    audit/TIME-NUMBER.json                                   who did it
    site/...                                                 pages for people
    CHANNEL/DistributionInfo.json ...                        derived from all of that

DIGEST is the start of the file's own SHA-256 (an entry's: of its image): no address ever holds other bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from builder.model.catalog import MarkKind, Publication, StoredFile
from builder.wsl.lists import ARCHITECTURES

SETTINGS = "settings.json"
SCHEMA = "catalog.schema.json"
IMAGES, ENTRIES, MARKS = "images/", "entries/", "marks/"
RETIRED, AUDIT, SITE = "retired/", "audit/", "site/"
PRUNING = "prune.lock"
LIST, APPEND_LIST = "DistributionInfo.json", "DistributionInfo.append.json"
CATALOG, LATEST, SUMS = "catalog.json", "latest.json", "SHA256SUMS"
SIGNATURE = ".sig"
SIGNED = (SUMS, CATALOG)
"""The files of a channel that are signed: together they name every byte that is published."""
RESERVED = frozenset(name.rstrip("/") for name in (IMAGES, ENTRIES, MARKS, RETIRED, AUDIT, SITE))
"""What no channel can be called."""
TRUTH = (IMAGES, ENTRIES, MARKS, RETIRED, AUDIT, SETTINGS, PRUNING)
"""What paths begin with that are not derived from others."""
DIGEST = "{sha256}"
"""What stands for the digest of a file in addresses of images."""

_DIGITS = 12
_ENTRY = re.compile(
    rf"(?P<version>.+)-(?P<architecture>{'|'.join(ARCHITECTURES)})\.(?P<digest>[0-9a-f]{{{_DIGITS}}})\.json"
)
_SIDECARS = {"manifest": "manifest.json", "inventory": "inventory.json.zst"}


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryName:
    """What the path of an entry says. `digest` is the start of the image's SHA-256."""

    channel: str
    flavor: str
    version: str
    architecture: str
    digest: str


def image_path(flavor: str, version: str, architecture: str, sha256: str) -> str:
    """The place of an image."""
    return f"{_stem(flavor, version, architecture)}.{sha256[:_DIGITS]}.wsl"


def sidecar_path(flavor: str, version: str, architecture: str, kind: str, sha256: str) -> str:
    """The place of a file about an image; `sha256` is its own."""
    return f"{_stem(flavor, version, architecture)}.{sha256[:_DIGITS]}.{_SIDECARS.get(kind, kind)}"


def entry_path(channel: str, publication: Publication) -> str:
    """The place of the entry of `publication` in `channel`."""
    return (
        f"{ENTRIES}{channel}/{publication.flavor}/{publication.version}-{publication.architecture}"
        f".{publication.image.sha256[:_DIGITS]}.json"
    )


def parse_entry_path(path: str) -> EntryName | None:
    """What `path` says, None unless it is that of an entry, perhaps a retired one."""
    parts = path.split("/")
    found = _ENTRY.fullmatch(parts[-1])
    if len(parts) != 4 or found is None or f"{parts[0]}/" not in (ENTRIES, RETIRED):
        return None
    return EntryName(channel=parts[1], flavor=parts[2], **found.groupdict())


def mark_path(channel: str, flavor: str, version: str, kind: MarkKind) -> str:
    """The place of a mark."""
    return f"{MARKS}{channel}/{flavor}/{version}.{kind}.json"


def stored_url(base_url: str, images_url: str, stored: StoredFile) -> str:
    """Where Windows downloads `stored`, by the settings of its catalog."""
    if DIGEST in images_url:
        return images_url.replace(DIGEST, stored.sha256)
    return join_url(images_url or base_url, stored.path)


def join_url(base: str, path: str) -> str:
    """The address of `path` below `base`. wsl.exe decodes nothing in file:// addresses."""
    escaped = path if base.startswith("file://") else quote(path, safe="/-._~+")
    return f"{base.rstrip('/')}/{escaped}"


def _stem(flavor: str, version: str, architecture: str) -> str:
    return f"{IMAGES}{flavor}/{version}/{flavor}-{version}-{architecture}"
