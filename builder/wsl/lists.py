"""The distribution list, DistributionInfo.json: its schema exactly as wsl.exe reads it.

Types are checked in the whole document: one wrong type anywhere makes wsl.exe refuse all of it. Unknown names
are ignored, missing texts are empty. Sources: microsoft/WSL src/windows/common/Distribution.h,
src/windows/common/Distribution.cpp:ReadFromManifest, src/shared/inc/JsonUtils.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from builder.core.errors import CheckError
from builder.wsl.strict_json import parse_json

T = TypeVar("T")

ARCHITECTURES = {"amd64": "Amd64Url", "arm64": "Arm64Url"}
"""The architectures of Windows, by Debian's names, and where an entry has the address of the image."""


class ListError(CheckError):
    """wsl.exe would fail; `code` is the name of its error (see `builder.wsl.codes`)."""

    code: str

    def __init__(self, code: str, message: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(message, where=where, fix=fix)
        self.code = code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.code}: {self.message}" + (f"\n  fix: {self.fix}" if self.fix else "")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.code, self.message, self.where, self.fix))


def _rebuild(code: str, message: str, where: str, fix: str) -> ListError:
    return ListError(code, message, where=where, fix=fix)


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """An image to download; `sha256` as written in the list."""

    url: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One image of a flavor, in the places for two architectures."""

    name: str
    friendly_name: str
    default: bool
    amd64: Archive | None
    arm64: Archive | None

    def archive(self, architecture: str) -> Archive | None:
        """The image for `architecture`, "amd64" or "arm64"."""
        return self.arm64 if architecture == "arm64" else self.amd64


@dataclass(frozen=True, kw_only=True, slots=True)
class Legacy:
    """An entry for a packaged application, the only kind there was before WSL 2.4.4."""

    name: str
    friendly_name: str
    store_app_id: str
    amd64: bool
    arm64: bool
    amd64_package_url: str | None
    arm64_package_url: str | None
    package_family_name: str | None

    def runs_on(self, architecture: str) -> bool:
        """Whether the entry is for `architecture`."""
        return self.arm64 if architecture == "arm64" else self.amd64


@dataclass(frozen=True, kw_only=True, slots=True)
class FlavorEntry:
    """The versions of one flavor, in the order of the list."""

    name: str
    versions: tuple[Version, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributionList:
    """One list. `default` is what `wsl --install` takes when no name is given, None without a choice."""

    default: str | None = None
    flavors: tuple[FlavorEntry, ...] = ()
    legacy: tuple[Legacy, ...] = ()


def parse_list(data: bytes, *, local: bool, where: str = "") -> DistributionList:
    """The list in `data`, of all architectures.

    `local` reads it as wsl.exe reads a file:// address: one character per byte, so that text beyond ASCII is
    garbled and a byte order mark is an error. Otherwise it is UTF-8. Raises ListError (WSL_E_INVALID_JSON)
    that names the offending place in the document.
    """
    text = data.decode("latin-1") if local else data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    try:
        return _read_list(_Object(parse_json(text.partition("\0")[0]), "$"))
    except ValueError as error:
        fix = "correct it: wsl.exe takes nothing from a list with a single wrong type"
        if text.startswith("\xef\xbb\xbf"):
            fix = "write it without a byte order mark"
        raise ListError("WSL_E_INVALID_JSON", str(error), where=where, fix=fix) from None


def for_architecture(whole: DistributionList, architecture: str) -> DistributionList:
    """`whole` as wsl.exe sees it on `architecture`: entries for others are gone, flavors stay even if empty.

    Without `Default` the first legacy entry that is left is the default. There is no fall-back from arm64 to
    amd64. Raises ValueError for an architecture that Windows does not have.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"expected one of {', '.join(ARCHITECTURES)}, found {architecture!r}")
    flavors = tuple(
        replace(flavor, versions=tuple(entry for entry in flavor.versions if entry.archive(architecture)))
        for flavor in whole.flavors
    )
    legacy = tuple(entry for entry in whole.legacy if entry.runs_on(architecture))
    default = legacy[0].name if whole.default is None and legacy else whole.default
    return DistributionList(default=default, flavors=flavors, legacy=legacy)


def _read_list(root: _Object) -> DistributionList:
    flavors = root.numbered("ModernDistributions")
    return DistributionList(
        default=root.optional_text("Default"),
        flavors=tuple(
            FlavorEntry(name=name, versions=tuple(_read_version(entry) for entry in flavors.objects(name)))
            for name in flavors
        ),
        legacy=()
        if root.is_null("Distributions")
        else tuple(map(_read_legacy, root.objects("Distributions"))),
    )


def _read_version(entry: _Object) -> Version:
    return Version(
        name=entry.text("Name"),
        friendly_name=entry.text("FriendlyName"),
        default=entry.flag("Default", nullable=True),
        amd64=_read_archive(entry, ARCHITECTURES["amd64"]),
        arm64=_read_archive(entry, ARCHITECTURES["arm64"]),
    )


def _read_archive(entry: _Object, name: str) -> Archive | None:
    if entry.is_null(name):
        return None
    archive = entry.object(name)
    return Archive(url=archive.text("Url"), sha256=archive.text("Sha256"))


def _read_legacy(entry: _Object) -> Legacy:
    return Legacy(
        name=entry.text("Name"),
        friendly_name=entry.text("FriendlyName"),
        store_app_id=entry.text("StoreAppId"),
        amd64=entry.flag("Amd64"),
        arm64=entry.flag("Arm64"),
        amd64_package_url=entry.optional_text("Amd64PackageUrl"),
        arm64_package_url=entry.optional_text("Arm64PackageUrl"),
        package_family_name=entry.optional_text("PackageFamilyName"),
    )


_KINDS = {bool: "a boolean", str: "a string", list: "an array", dict: "an object", type(None): "null"}


class _Object:
    """A JSON object at `path` of the document. Each reader raises ValueError for a member of another type."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise _refusal(path, "an object", value)
        self._members: dict[str, Any] = value
        self._path = path

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def is_null(self, name: str) -> bool:
        return self._members.get(name) is None

    def text(self, name: str) -> str:
        return self._read(name, str, "a string", "")

    def optional_text(self, name: str) -> str | None:
        return None if self.is_null(name) else self.text(name)

    def flag(self, name: str, *, nullable: bool = False) -> bool:
        return False if nullable and self.is_null(name) else self._read(name, bool, "a boolean", False)

    def object(self, name: str) -> _Object:
        return _Object(self._members.get(name, {}), f"{self._path}.{name}")

    def numbered(self, name: str) -> _Object:
        """Like `object`, but null is empty and an array's names are its indexes: nlohmann::json::items()."""
        value = {} if self.is_null(name) else self._members[name]
        return _Object(
            {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else value,
            f"{self._path}.{name}",
        )

    def objects(self, name: str) -> Iterator[_Object]:
        for index, item in enumerate(self._read(name, list, "an array", [])):
            yield _Object(item, f"{self._path}.{name}[{index}]")

    def _read(self, name: str, kind: type[T], expected: str, missing: T) -> T:
        value = self._members.get(name, missing)
        if not isinstance(value, kind):
            raise _refusal(f"{self._path}.{name}", expected, value)
        return value


def _refusal(path: str, expected: str, value: object) -> ValueError:
    return ValueError(f"{path}: expected {expected}, found {_KINDS.get(type(value), 'a number')}")
