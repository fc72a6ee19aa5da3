"""The distributions this bootstrap knows, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveRole:
    """One archive of a distribution. `name` is how locks call it, and how addresses of its mirrors end.

    `image` is what apt in the image uses, `public` what a build uses when nobody says otherwise,
    `snapshot` has old states of the archive below their time stamps.
    """

    name: str
    image: str
    public: str
    snapshot: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """`name` is the ID in os-release(5). `keyrings` are paths in the image, best first."""

    name: str
    main: ArchiveRole
    security: ArchiveRole
    rolling: tuple[str, ...]
    keyrings: tuple[str, ...]

    @property
    def roles(self) -> tuple[ArchiveRole, ...]:
        """Its archives, the main one first."""
        return (self.main, self.security)

    def suites(self, suite: str, *, updates: bool, security: bool) -> tuple[tuple[ArchiveRole, str], ...]:
        """`suite` and the suites beside it, each with its archive. A rolling suite has none beside it."""
        found = [(self.main, suite)]
        if suite not in self.rolling:
            found += [(self.main, f"{suite}-updates")] if updates else []
            found += [(self.security, f"{suite}-security")] if security else []
        return tuple(found)


DEBIAN = Distribution(
    name="debian",
    main=ArchiveRole(
        name="debian",
        image="http://deb.debian.org/debian",
        public="http://ftp.debian.org/debian",
        snapshot="https://snapshot.debian.org/archive/debian",
    ),
    security=ArchiveRole(
        name="debian-security",
        image="http://deb.debian.org/debian-security",
        public="http://security.debian.org/debian-security",
        snapshot="https://snapshot.debian.org/archive/debian-security",
    ),
    rolling=("sid", "unstable", "experimental"),
    keyrings=(
        "/usr/share/keyrings/debian-archive-keyring.pgp",
        "/usr/share/keyrings/debian-archive-keyring.gpg",
    ),
)

DISTRIBUTIONS = {distribution.name: distribution for distribution in (DEBIAN,)}
