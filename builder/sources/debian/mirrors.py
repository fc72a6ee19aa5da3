"""Where a build gets a distribution's files from. No answer given here reaches a lock or an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from builder.sources.debian.apt_conf import AptSource
from builder.sources.debian.distributions import ArchiveRole, Distribution


class Addresses(NamedTuple):
    """The addresses to try for one archive, in order, without a slash at the end."""

    role: ArchiveRole
    urls: tuple[str, ...]


def choose_addresses(
    distribution: Distribution,
    *,
    mirror: str,
    snapshot: str,
    environment: Mapping[str, str],
    sources: tuple[AptSource, ...],
) -> tuple[Addresses, ...]:
    """The addresses of each archive of `distribution`.

    `mirror` (an address of the main archive, given explicitly) comes first, then the variable
    WSLIMG_DEBIAN_MIRROR, then `sources` (of a host that runs the same distribution), then the table.
    The security archive of a mirror is looked for beside it, and then where it would otherwise be.
    With `snapshot` (a time stamp) `mirror` is the address of a snapshot service.
    """
    if snapshot:
        bases = {role: role.snapshot for role in distribution.roles}
        if mirror:
            bases = {
                distribution.main: mirror.rstrip("/"),
                distribution.security: _sibling(mirror, distribution),
            }
        return tuple(Addresses(role, (f"{base}/{snapshot}",)) for role, base in bases.items())
    named = mirror or environment.get(f"WSLIMG_{distribution.name.upper()}_MIRROR", "")
    return tuple(Addresses(role, _choose(distribution, role, named, sources)) for role in distribution.roles)


def _choose(
    distribution: Distribution, role: ArchiveRole, mirror: str, sources: tuple[AptSource, ...]
) -> tuple[str, ...]:
    uris = [source.uri.rstrip("/") for source in sources]
    host = [uri for uri in uris if uri.startswith("http") and uri.rpartition("/")[2] == role.name]
    fallback = [*host, *([] if host else [role.public])]
    if not mirror:
        return tuple(dict.fromkeys(fallback))
    if role == distribution.main:
        return (mirror.rstrip("/"),)
    return tuple(dict.fromkeys([_sibling(mirror, distribution), *fallback]))


def _sibling(mirror: str, distribution: Distribution) -> str:
    """The security archive beside the main archive `mirror`: mirrors keep all archives below one folder."""
    return f"{mirror.rstrip('/').rpartition('/')[0]}/{distribution.security.name}"
