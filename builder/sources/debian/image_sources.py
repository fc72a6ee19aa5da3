"""Where apt in the image looks: the distribution's public archives, whatever mirror the build used."""

from __future__ import annotations

from collections.abc import Callable

from builder.model.entry import Entry
from builder.model.lock import BootstrapSource
from builder.sources.debian.database import memory_file
from builder.sources.debian.distributions import DISTRIBUTIONS, ArchiveRole


def image_sources(source: BootstrapSource, has: Callable[[bytes], bool], mtime: int) -> Entry:
    """The deb822 file below etc/apt/sources.list.d for the suites and components of `source`.

    `has` tells whether a path is in the image: apt trusts the keyring that is.
    """
    distribution = DISTRIBUTIONS[source.distribution]
    keyring = next((path for path in distribution.keyrings if has(path.strip("/").encode())), "")
    paragraphs = [_paragraph(role, source, keyring) for role in distribution.roles if _suites(role, source)]
    path = f"etc/apt/sources.list.d/{distribution.name}.sources"
    return memory_file(path.encode(), "\n".join(paragraphs).encode(), mtime=mtime)


def _paragraph(role: ArchiveRole, source: BootstrapSource, keyring: str) -> str:
    components = dict.fromkeys(index.path.partition("/")[0] for index in source.indexes)
    signed_by = f"Signed-By: {keyring}\n" if keyring else ""
    return (
        f"Types: deb\nURIs: {role.image}\nSuites: {' '.join(_suites(role, source))}\n"
        f"Components: {' '.join(components)}\n{signed_by}"
    )


def _suites(role: ArchiveRole, source: BootstrapSource) -> list[str]:
    return [release.suite for release in source.releases if release.archive == role.name]
