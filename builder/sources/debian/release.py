"""Release files: which indexes a suite has, with their digests, and from when until when that holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from builder.core.errors import ResolveError
from builder.sources.debian.deb822 import Paragraph, parse_paragraph

_CLOCK_TOLERANCE = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFile:
    """A line of the table of a Release file; `path` is relative to the Release file, `size` in bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseFile:
    """A Release file. Times are in seconds since the epoch; `valid_until` is 0 where it never ends."""

    suite: str
    codename: str
    date: int
    valid_until: int
    by_hash: bool
    architectures: frozenset[str]
    components: frozenset[str]
    files: tuple[IndexFile, ...]

    def index(self, component: str, architecture: str, *, where: str) -> IndexFile:
        """The package index of `component` for `architecture`, the smallest format first."""
        self._check_offer(component, architecture, where)
        table = {file.path: file for file in self.files}
        stem = f"{component}/binary-{architecture}/Packages"
        for path in (f"{stem}.xz", f"{stem}.gz", stem):
            if path in table:
                return table[path]
        raise ResolveError(f"lists no {stem}.xz and no {stem}.gz", where=where, fix="choose another mirror")

    def uncompressed(self, file: IndexFile) -> IndexFile | None:
        """What `file` unfolds to, where the table says so; `file` itself if it is not compressed."""
        stem = file.path.removesuffix(".xz").removesuffix(".gz")
        return next((each for each in self.files if each.path == stem), None)

    def _check_offer(self, component: str, architecture: str, where: str) -> None:
        # Security archives list components with a prefix ("updates/main"), paths without it.
        components = {name.rpartition("/")[2] for name in self.components}
        if architecture not in self.architectures:
            offered = ", ".join(sorted(self.architectures - {"all"}))
            raise ResolveError(f"has nothing for {architecture}", where=where, fix=f"choose one of {offered}")
        if component not in components:
            raise ResolveError(
                f"has no component {component}",
                where=where,
                fix=f"choose from {', '.join(sorted(components))}",
            )


def parse_release(text: str, *, where: str) -> ReleaseFile:
    """The Release file `text`. Raises ResolveError where it lacks its date or table."""
    fields = parse_paragraph(text)
    if "date" not in fields or "sha256" not in fields:
        raise ResolveError("lacks the field Date or SHA256", where=where, fix="choose another mirror")
    return ReleaseFile(
        suite=fields.get("suite", ""),
        codename=fields.get("codename", ""),
        date=_seconds(fields, "date", where),
        valid_until=_seconds(fields, "valid-until", where) if "valid-until" in fields else 0,
        by_hash=fields.get("acquire-by-hash") == "yes",
        architectures=frozenset(fields.get("architectures", "").split()),
        components=frozenset(fields.get("components", "").split()),
        files=tuple(_files(fields["sha256"])),
    )


def check_time(release: ReleaseFile, now: int, *, where: str, expired_ok: bool = False) -> None:
    """Refuse what is out of date, and what a clock that is behind lets appear to come from the future."""
    if release.date > now + _CLOCK_TOLERANCE:
        raise ResolveError(
            f"was made at {_show(release.date)}, but the clock says {_show(now)}",
            where=where,
            fix="set the clock of this machine",
        )
    if release.valid_until and release.valid_until < now and not expired_ok:
        raise ResolveError(
            f"was valid until {_show(release.valid_until)}; the clock says {_show(now)}",
            where=where,
            fix="the mirror is no longer updated, or the clock is wrong: choose another mirror; "
            "to build from an old state on purpose name a `snapshot`, or set `check_valid_until: false`",
        )


def _files(table: str) -> list[IndexFile]:
    rows = [line.split() for line in table.splitlines() if line.strip()]
    return [IndexFile(path=path, size=int(size), sha256=digest) for digest, size, path in rows]


def _seconds(fields: Paragraph, name: str, where: str) -> int:
    try:
        return int(parsedate_to_datetime(fields[name].replace("UTC", "+0000")).timestamp())
    except ValueError as error:
        raise ResolveError(f"the field {name} is no date: {fields[name]}", where=where) from error


def _show(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
