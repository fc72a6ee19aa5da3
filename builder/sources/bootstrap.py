"""A base system made of Debian's packages, without any tool of Debian on the host.

    source:
      bootstrap:
        distribution: debian
        suite: trixie
        variant: minbase             # or apt, important
        components: [main, contrib]
        mirror: http://mirror.example.org/debian    # for the build only; the image keeps the public one
        snapshot: 20250520T000000Z   # an old state of the archive
        signed_by: keys/company.asc  # for an archive with its own key
        updates: true                # SUITE-updates
        security: true               # SUITE-security

The short form is `debian: trixie`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.model.entry import Entry
from builder.model.fields import Flag, matching
from builder.model.lock import ArchitectureLock, BootstrapSource, Facts, StepPackages
from builder.model.operation import Operation
from builder.model.surroundings import Surroundings
from builder.sources.debian.archive import Archives, fetch_packages, open_archives
from builder.sources.debian.configure import configure_operations
from builder.sources.debian.deb import read_file
from builder.sources.debian.distributions import DISTRIBUTIONS
from builder.sources.debian.index import Candidate, Universe
from builder.sources.debian.os_release import parse_os_release
from builder.sources.debian.relay import relay_archives
from builder.sources.debian.signature import read_keyring, shipped_keyring
from builder.sources.debian.solve import solve
from builder.sources.debian.suites import LoadedSuite, Trust, load_suites
from builder.sources.debian.unpack import base_entries
from builder.sources.debian.variants import Variant, seeds
from builder.sources.source import SourceKind, SourceModel, StepRequest, Supply

_FORMAT = "bootstrap-1"
_WORD = matching(r"[a-z0-9][a-z0-9.+-]*", "a name of lower-case letters, digits, dots and dashes")
_STAMP = matching(r"[0-9]{8}T[0-9]{6}Z", "a time stamp such as 20250520T000000Z")
_MIRROR = matching(r"https?://\S+", "an http or https address")


class Bootstrap(SourceModel):
    """A base made of packages."""

    distribution: Literal["debian"] = Field(default="debian", description="debian")
    suite: Annotated[str, _WORD] = Field(description="trixie, bookworm, sid ...")
    variant: Variant = Field(default=Variant.MINBASE, description="which packages make the base")
    components: tuple[Annotated[str, _WORD], ...] = Field(
        default=("main",), min_length=1, description="parts of the archive: main, contrib, non-free ..."
    )
    mirror: Annotated[str, _MIRROR] | None = Field(
        default=None, exclude=True, description="for the build only; no part of what the base is"
    )
    snapshot: Annotated[str, _STAMP] | None = Field(
        default=None, description="an old state of the archive, such as 20250520T000000Z"
    )
    signed_by: Path | None = Field(
        default=None, description="the key of an archive of your own, relative to the recipe"
    )
    updates: Flag = Field(default=True, description="also SUITE-updates")
    security: Flag = Field(default=True, description="also SUITE-security")
    check_valid_until: Flag = Field(default=True, description="refuse metadata that has expired")

    @property
    def title(self) -> str:
        """Distribution and suite."""
        return f"{self.distribution} {self.suite}"

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """The keyring."""
        return () if self.signed_by is None else (("signed_by", self.signed_by),)


def resolve_bootstrap(
    source: Bootstrap,
    architecture: str,
    requests: tuple[StepRequest, ...],
    supply: Supply,
    versions: Mapping[str, str] = {},
) -> ArchitectureLock:
    """What `source` consists of now, and what each request adds to it. Raises ResolveError.

    A package that is in `versions` is taken in this version or not at all. Only verified bytes count;
    downloads that later stages need stay among the blobs.
    """
    archives = _open(source, supply)
    loaded = load_suites(archives, _suites(source), source.components, architecture, _trust(source, supply))
    universe = Universe(tuple(index for suite in loaded for index in suite.packages))
    base, steps = _solve_all(source, universe, requests, versions, architecture)
    return ArchitectureLock(
        time=max(suite.release.date for suite in loaded),
        facts=_read_facts(base, archives),
        source=_lock_source(source, loaded, base),
        steps=steps,
    )


def fetch_bootstrap(source: Bootstrap, lock: ArchitectureLock, supply: Supply) -> None:
    """Have every package of `lock`, those of its steps included, among the blobs. Raises ResolveError."""
    fetch_packages(lock.packages, _open(source, supply))


def bootstrap_inputs(locked: BootstrapSource, architecture: str) -> tuple[str, ...]:
    """What the key of the base digests: everything that `bootstrap_entries` depends on."""
    suites = [f"suite {release.archive} {release.suite} {release.date}" for release in locked.releases]
    components = dict.fromkeys(index.path.partition("/")[0] for index in locked.indexes)
    packages = [f"package {each.name} {each.version} {each.sha256}" for each in locked.packages]
    head = [_FORMAT, f"architecture {architecture}", f"distribution {locked.distribution}"]
    return (*head, f"components {' '.join(components)}", *suites, *packages)


def bootstrap_entries(locked: BootstrapSource, architecture: str, blobs: Blobs) -> Iterator[Entry]:
    """The unpacked base; `fetch_bootstrap` comes first. Entries open while the iteration lasts."""
    return base_entries(locked, architecture, blobs)


def bootstrap_operations(locked: BootstrapSource, architecture: str) -> tuple[Operation, ...]:
    """What makes a working system of the unpacked base."""
    return configure_operations(architecture, max(release.date for release in locked.releases))


def bootstrap_surroundings(source: Bootstrap, supply: Supply) -> AbstractContextManager[Surroundings]:
    """Lets apt in networked commands use the mirrors that the build uses."""
    return relay_archives(_open(source, supply), old=_old_ok(source))


def describe_bootstrap(locked: BootstrapSource) -> str:
    """How many packages it has."""
    return f"{len(locked.packages)} packages in the base"


BOOTSTRAP = SourceKind(
    model=Bootstrap,
    locked=BootstrapSource,
    resolve=resolve_bootstrap,
    fetch=fetch_bootstrap,
    inputs=bootstrap_inputs,
    entries=bootstrap_entries,
    operations=bootstrap_operations,
    surround=bootstrap_surroundings,
    describe=describe_bootstrap,
)


def _open(source: Bootstrap, supply: Supply) -> Archives:
    return open_archives(
        DISTRIBUTIONS[source.distribution],
        mirror=supply.mirror or source.mirror or "",
        snapshot=source.snapshot or "",
        http=supply.http,
        blobs=supply.blobs,
        sink=supply.sink,
    )


def _suites(source: Bootstrap) -> tuple[tuple[str, str], ...]:
    distribution = DISTRIBUTIONS[source.distribution]
    found = distribution.suites(source.suite, updates=source.updates, security=source.security)
    return tuple((role.name, suite) for role, suite in found)


def _trust(source: Bootstrap, supply: Supply) -> Trust:
    own = supply.folder / source.signed_by if source.signed_by else None
    keyring = read_keyring(own or shipped_keyring(source.distribution))
    return Trust(keyring=keyring, now=supply.now, expired_ok=_old_ok(source))


def _old_ok(source: Bootstrap) -> bool:
    """Old states are out of date by intent."""
    return source.snapshot is not None or not source.check_valid_until


def _solve_all(
    source: Bootstrap,
    universe: Universe,
    requests: tuple[StepRequest, ...],
    versions: Mapping[str, str],
    architecture: str,
) -> tuple[tuple[Candidate, ...], tuple[StepPackages, ...]]:
    """The base and what the steps add to it, with what is in `versions` held there."""
    _check_versions(universe, versions)
    try:
        base = solve(universe, seeds(source.variant, universe), versions=versions, architecture=architecture)
        return base, _solve_steps(universe, base, requests, versions, architecture)
    except ResolveError as error:
        if versions:
            held = "other packages were held at their locked versions: update those named here as well"
            raise ResolveError(error.message, where=error.where, fix=held) from error
        raise


def _check_versions(universe: Universe, versions: Mapping[str, str]) -> None:
    gone = [
        f"{name} {version}"
        for name, version in sorted(versions.items())
        if all(found.version != version for found in universe.candidates(name))
    ]
    if gone:
        raise ResolveError(
            f"the archive no longer has {', '.join(gone)}, which the lock holds",
            fix="update these as well, `wslimg lock RECIPE --update NAME...`, or everything with --update "
            "alone; or name a `snapshot` that still has them",
        )


def _solve_steps(
    universe: Universe,
    base: tuple[Candidate, ...],
    requests: tuple[StepRequest, ...],
    versions: Mapping[str, str],
    architecture: str,
) -> tuple[StepPackages, ...]:
    """Each step on top of those before it, so that it lists what it adds."""
    installed, steps = base, []
    for request in sorted(requests, key=lambda request: request.step):
        added = _solve_step(universe, request, installed, versions, architecture)
        installed += added
        steps.append(StepPackages(step=request.step, packages=tuple(found.package for found in added)))
    return tuple(steps)


def _solve_step(
    universe: Universe,
    request: StepRequest,
    installed: tuple[Candidate, ...],
    versions: Mapping[str, str],
    architecture: str,
) -> tuple[Candidate, ...]:
    try:
        return solve(
            universe,
            request.names,
            installed=installed,
            versions={**versions, **request.versions},
            recommends=request.recommends,
            architecture=architecture,
        )
    except ResolveError as error:
        what = f"{error.where}: {error.message}" if error.where else error.message
        raise ResolveError(what, where=request.place, fix=error.fix) from error


def _lock_source(
    source: Bootstrap, loaded: tuple[LoadedSuite, ...], base: tuple[Candidate, ...]
) -> BootstrapSource:
    return BootstrapSource(
        distribution=source.distribution,
        suite=source.suite,
        releases=tuple(suite.release for suite in loaded),
        indexes=tuple(index for suite in loaded for index in suite.indexes),
        packages=tuple(found.package for found in base),
    )


def _read_facts(base: tuple[Candidate, ...], archives: Archives) -> Facts:
    """What base-files says about the system to be."""
    package = next(found.package for found in base if found.name == "base-files")
    fetch_packages([package], archives)
    text = read_file(archives.blobs.path(package.sha256), (b"usr/lib/os-release", b"etc/os-release"))
    fields = parse_os_release((text or b"").decode())
    return Facts(family=fields.get("ID", ""), os_release=fields)
