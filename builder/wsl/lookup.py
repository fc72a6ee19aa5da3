"""What wsl.exe does with distribution lists: `--list --online`, and which entry `--install` takes.

Sources: microsoft/WSL src/windows/common/Distribution.cpp:LookupByName and LookupDistributionInManifest,
src/windows/common/WslClient.cpp (`--list --online`), src/windows/common/WslInstall.cpp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from builder.wsl.limits import VISIBLE_VERSIONS
from builder.wsl.lists import Archive, DistributionList, Legacy, ListError, Version, for_architecture
from builder.wsl.names import refuse_name

_PREFIX = "file://"
_SHA256_DIGITS = 64
_HASH_FIX = "give the 64 hexadecimal digits that sha256sum prints for the image"
_HEX_PREFIX = re.compile(r"0[xX]")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class Match(Enum):
    """Why an entry was taken."""

    NAME = "name"
    FLAVOR = "default of the flavor"
    LEGACY = "legacy name"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The entry that a name leads to. `overridden` says that it is in the list of DistributionListUrlAppend;
    wsl.exe then prints a warning."""

    entry: Version | Legacy
    match: Match
    overridden: bool
    flavor: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A line of `wsl --list --online`."""

    name: str
    friendly_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Defect:
    """Why installing fails, with which error of wsl.exe, and how to go on."""

    code: str
    message: str
    fix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Available:
    """Both lists as a machine of one architecture sees them. `base` is the list of DistributionListUrl,
    `override` that of DistributionListUrlAppend, which is asked first. wsl.exe fetches both, always."""

    architecture: str
    base: DistributionList
    override: DistributionList | None = None

    @property
    def lists(self) -> tuple[DistributionList, ...]:
        """The lists in the order in which they are asked."""
        return (self.base,) if self.override is None else (self.override, self.base)


def make_available(base: DistributionList, override: DistributionList | None, architecture: str) -> Available:
    """The lists, filtered for `architecture`; raises ValueError when Windows does not have it."""
    return Available(
        architecture=architecture,
        base=for_architecture(base, architecture),
        override=None if override is None else for_architecture(override, architecture),
    )


def look_up(available: Available, name: str, *, legacy: bool = False) -> Found:
    """The entry that `wsl --install NAME` takes; `legacy` is its option --legacy.

    The override is searched to its end before the base, flavors of the same name are not merged. Within a
    list flavors and versions are visited in order, and the first version counts whose name matches, or
    that is the default of a flavor whose name matches; case is ignored. Raises ListError
    (WSL_E_DISTRO_NOT_FOUND).
    """
    for index, one in enumerate(available.lists):
        overridden = index == 0 and available.override is not None
        if found := (None if legacy else _find_version(one, name, overridden)) or _find_legacy(
            one, name, overridden
        ):
            return found
    raise ListError(
        "WSL_E_DISTRO_NOT_FOUND",
        f"Invalid distribution name: '{name}'",
        fix=_explain_missing(available, name) or "`wsl --list --online` shows the names",
    )


def look_up_default(available: Available, *, legacy: bool = False) -> Found:
    """The entry that `wsl --install` takes without a name. Raises ListError (E_UNEXPECTED)."""
    if legacy:
        if not available.base.legacy:
            raise ListError("E_UNEXPECTED", "the list has no legacy entry for this architecture")
        return Found(entry=available.base.legacy[0], match=Match.LEGACY, overridden=False)
    default = default_name(available)
    if default is None:
        raise ListError(
            "E_UNEXPECTED",
            "No default distribution has been configured. Please provide a distribution to install.",
            fix="set Default in the list to the name of a flavor or version",
        )
    return look_up(available, default)


def default_name(available: Available) -> str | None:
    """The name that stands for none: that of the override, even if only derived, before that of the base."""
    return next((one.default for one in available.lists if one.default is not None), None)


def rows_online(available: Available) -> tuple[Row, ...]:
    """What `wsl --list --online` shows: at most four versions of each flavor, each exact name once."""
    rows: dict[str, Row] = {}
    for one in available.lists:
        shown: list[Version | Legacy] = []
        for flavor in one.flavors:
            shown += flavor.versions[:VISIBLE_VERSIONS]
        for entry in (*shown, *one.legacy):
            rows.setdefault(entry.name, Row(name=entry.name, friendly_name=entry.friendly_name))
    return tuple(rows.values())


def find_defect(version: Version, architecture: str) -> Defect | None:
    """What makes installing `version` fail whatever file its address leads to; mostly after the download."""
    archive = version.archive(architecture)
    if archive is None:
        return Defect(
            code="E_UNEXPECTED", message=f"has no image for {architecture}", fix=f"add one for {architecture}"
        )
    if refusal := refuse_name(version.name):
        return Defect(
            code="E_INVALIDARG", message=f"the name {version.name!r} {refusal}", fix="rename the entry"
        )
    return _find_hash_defect(archive)


def windows_path(url: str) -> str | None:
    """The Windows path that wsl.exe opens for a file:// address, None for any other address.

    It is no URL parser: the prefix is case-sensitive, one more slash is dropped, slashes become backslashes,
    nothing is percent-decoded. Source: microsoft/WSL
    src/windows/common/filesystem.cpp:TryGetPathFromFileUrl.
    """
    if not url.startswith(_PREFIX):
        return None
    return url.removeprefix(_PREFIX).removeprefix("/").replace("/", "\\")


def doubt_file_url(url: str) -> str:
    """Why the file:// address `url` hardly leads where its author meant; empty for all others."""
    path = windows_path(url)
    if path is None:
        return "is not recognised: write file:// in lower case" if url.lower().startswith(_PREFIX) else ""
    if path.startswith("\\") and not path.startswith("\\\\"):
        return f"leads to {path}: write file://///SERVER/SHARE/FILE for a network share"
    if not re.match(r"[A-Za-z]:\\|\\\\", path):
        return (
            f"leads to the relative path {path}: write file:///C:/FOLDER/FILE or file://///SERVER/SHARE/FILE"
        )
    if re.search(r"%[0-9A-Fa-f]{2}", path):
        return f"leads to {path}: percent escapes are not decoded"
    return ""


def _find_version(one: DistributionList, name: str, overridden: bool) -> Found | None:
    for flavor in one.flavors:
        for entry in flavor.versions:
            if entry.default and _same(flavor.name, name):
                return Found(entry=entry, match=Match.FLAVOR, overridden=overridden, flavor=flavor.name)
            if _same(entry.name, name):
                return Found(entry=entry, match=Match.NAME, overridden=overridden, flavor=flavor.name)
    return None


def _find_legacy(one: DistributionList, name: str, overridden: bool) -> Found | None:
    for entry in one.legacy:
        if _same(entry.name, name):
            return Found(entry=entry, match=Match.LEGACY, overridden=overridden)
    return None


def _explain_missing(available: Available, name: str) -> str:
    for flavor in (flavor for one in available.lists for flavor in one.flavors):
        if _same(flavor.name, name):
            return f"{flavor.name} has no Default version for {available.architecture}: mark one"
    return ""


def _find_hash_defect(archive: Archive) -> Defect | None:
    digits = (
        _HEX_PREFIX.sub("", archive.sha256, count=1) if _HEX_PREFIX.match(archive.sha256) else archive.sha256
    )
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", digits):
        return Defect(code="E_INVALIDARG", message=f"Invalid hex string: {archive.sha256}", fix=_HASH_FIX)
    if len(digits) != _SHA256_DIGITS:
        return Defect(
            code="TRUST_E_BAD_DIGEST",
            message=f"Sha256 has {len(digits)} digits instead of {_SHA256_DIGITS} and matches no file",
            fix=_HASH_FIX,
        )
    return None


def _same(left: str, right: str) -> bool:
    """As wsl.exe compares: ASCII letters without regard to case."""
    return left.translate(_LOWER) == right.translate(_LOWER)
