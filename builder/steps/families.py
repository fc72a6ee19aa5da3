"""Families of distributions: their commands and places, as data.

A row is found by the `ID` of os-release, then by the names in `ID_LIKE` (os-release(5)).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Command = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One family. `ids` are the values of `ID` and `ID_LIKE` that belong to it.

    `refresh`, `install`, `install_recommends` and `remove` are commands to which package names are appended
    (`refresh` takes none); all empty where nothing is known. `environment` is theirs. `admin_group` may
    use sudo. `certificates` is the folder for extra authorities (PEM, `.crt`), `update_certificates`
    what makes them known. `leftovers` are patterns of what the package manager leaves behind.
    """

    name: str
    ids: tuple[str, ...]
    admin_group: str
    environment: tuple[tuple[str, str], ...] = ()
    refresh: Command = ()
    install: Command = ()
    install_recommends: Command = ()
    remove: Command = ()
    certificates: str = ""
    update_certificates: Command = ()
    leftovers: tuple[str, ...] = ()


_APT = ("apt-get", "--yes", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-unsafe-io")
_DNF = ("dnf", "--assumeyes")
_ZYPPER = ("zypper", "--non-interactive")
_PACMAN = ("pacman", "--noconfirm", "--noprogressbar")

DEBIAN = Family(
    name="debian",
    ids=("debian", "ubuntu"),
    admin_group="sudo",
    environment=(("DEBIAN_FRONTEND", "noninteractive"), ("DEBCONF_NONINTERACTIVE_SEEN", "true")),
    refresh=("apt-get", "--error-on=any", "update"),
    install=(*_APT, "--no-install-recommends", "install"),
    install_recommends=(*_APT, "--install-recommends", "install"),
    remove=(*_APT, "--auto-remove", "purge"),
    certificates="/usr/local/share/ca-certificates",
    update_certificates=("update-ca-certificates",),
    leftovers=("/var/cache/apt/**", "/var/lib/apt/lists/**", "/var/log/apt/**", "/var/log/dpkg.log"),
)

FEDORA = Family(
    name="fedora",
    ids=("fedora", "rhel", "centos", "almalinux", "rocky", "ol", "amzn", "azurelinux", "mariner"),
    admin_group="wheel",
    refresh=(*_DNF, "makecache"),
    install=(*_DNF, "--setopt=install_weak_deps=False", "install"),
    install_recommends=(*_DNF, "--setopt=install_weak_deps=True", "install"),
    remove=(*_DNF, "remove"),
    certificates="/etc/pki/ca-trust/source/anchors",
    update_certificates=("update-ca-trust", "extract"),
    leftovers=("/var/cache/dnf/**", "/var/cache/libdnf5/**", "/var/log/dnf*", "/var/log/hawkey.log"),
)

SUSE = Family(
    name="suse",
    ids=("suse", "opensuse", "opensuse-tumbleweed", "opensuse-leap", "sles", "sled"),
    admin_group="wheel",
    refresh=(*_ZYPPER, "refresh"),
    install=(*_ZYPPER, "install", "--no-recommends"),
    install_recommends=(*_ZYPPER, "install", "--recommends"),
    remove=(*_ZYPPER, "remove", "--clean-deps"),
    certificates="/etc/pki/trust/anchors",
    update_certificates=("update-ca-certificates",),
    leftovers=("/var/cache/zypp/**", "/var/log/zypp/**", "/var/log/zypper.log"),
)

ARCH = Family(
    name="arch",
    ids=("arch", "archarm", "manjaro", "endeavouros", "cachyos"),
    admin_group="wheel",
    # Partial upgrades are not supported: what is installed follows the refreshed databases.
    refresh=(*_PACMAN, "-Syu"),
    install=(*_PACMAN, "-S", "--needed"),
    install_recommends=(*_PACMAN, "-S", "--needed"),
    remove=(*_PACMAN, "-Rns"),
    certificates="/etc/ca-certificates/trust-source/anchors",
    update_certificates=("update-ca-trust",),
    leftovers=("/var/cache/pacman/pkg/**", "/var/lib/pacman/sync/**", "/var/log/pacman.log"),
)

ALPINE = Family(
    name="alpine",
    ids=("alpine", "wolfi"),
    admin_group="wheel",
    refresh=("apk", "update"),
    install=("apk", "add"),
    install_recommends=("apk", "add"),
    remove=("apk", "del"),
    certificates="/usr/local/share/ca-certificates",
    update_certificates=("update-ca-certificates",),
    leftovers=("/var/cache/apk/**", "/etc/apk/cache/**", "/var/log/apk.log"),
)

UNKNOWN = Family(name="unknown", ids=(), admin_group="wheel")
"""A distribution nobody has described yet: files, users and runs work, packages do not."""

FAMILIES: tuple[Family, ...] = (DEBIAN, FEDORA, SUSE, ARCH, ALPINE)


def family_of(os_release: Mapping[str, str]) -> Family:
    """The family of a distribution by its os-release fields; UNKNOWN if no row fits."""
    names = (os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split())
    rows = {identifier: family for family in FAMILIES for identifier in family.ids}
    return next((rows[name] for name in names if name in rows), UNKNOWN)


def family_named(name: str) -> Family:
    """The family called `name`; UNKNOWN if there is none."""
    return next((family for family in FAMILIES if family.name == name), UNKNOWN)
