"""The Windows Terminal profile: what WSL makes of a distribution's template.

Source: microsoft/WSL src/windows/service/exe/LxssUserSession.cpp:_CreateTerminalProfile.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from builder.wsl.limits import PROFILE_TEMPLATE
from builder.wsl.os_release import Flavor
from builder.wsl.strict_json import parse_json

DEFAULT_TEMPLATE = b'{"profiles":[{"startingDirectory":"~"}]}'
"""What WSL uses without windowsterminal.profileTemplate."""

PROFILE_NAMESPACE = UUID("be9372fe-59e1-4876-bda9-c33c8f2f1af1")
GENERATED_NAMESPACE = UUID("2bde4a90-d05f-401c-9492-e40884ead1d8")

_OVERWRITTEN = ("commandline", "guid", "icon", "name", "pathTranslationStyle")
_POINTLESS = ("hidden", "source", "updates")
_SCHEMES = frozenset(
    [
        "Campbell",
        "Campbell Powershell",
        "CGA",
        "Dark+",
        "Dimidium",
        "IBM 5153",
        "One Half Dark",
        "One Half Light",
        "Ottosson",
        "Solarized Dark",
        "Solarized Light",
        "Tango Dark",
        "Tango Light",
        "Vintage",
    ]
)


_UNKNOWN = Flavor(flavor=None, version=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateReport:
    """With `errors` WSL writes no profile at all, not even the default one, and the import goes on.
    `warnings` are about what has no effect, or not the one it seems to have."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """A registered distribution, as far as its profile shows it. The paths are Windows paths."""

    name: str
    guid: UUID
    flavor: Flavor = _UNKNOWN
    icon: str = ""
    wsl: str = r"C:\Windows\System32\wsl.exe"


def check_template(template: bytes) -> TemplateReport:
    """What WSL and Windows Terminal would say to `template`."""
    try:
        content = _read(template)
    except ValueError as error:
        return TemplateReport(errors=(str(error),))
    profiles = content["profiles"]
    return TemplateReport(
        warnings=(*_doubt_count(profiles), *_doubt_names(profiles), *_doubt_schemes(content, profiles))
    )


def fragment(template: bytes | None, registration: Registration) -> bytes:
    """The file that WSL writes to %LOCALAPPDATA%\\Microsoft\\Windows Terminal\\Fragments\\Microsoft.WSL.

    JSON in UTF-8, indented by 2, names sorted; None stands for the default template. Raises ValueError with
    the reason where WSL writes no file.
    """
    content = _read(DEFAULT_TEMPLATE if template is None else template)
    hidden = _braced(generated_profile_guid(registration.name))
    visible = [profile for profile in content["profiles"] if profile.get("updates") != hidden]
    for profile in visible:
        _fill(profile, registration)
    if len(visible) == len(content["profiles"]):
        content["profiles"].insert(0, {"updates": hidden, "hidden": True})
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).encode()


def profile_guid(guid: UUID) -> UUID:
    """The GUID of the profile for the distribution registered as `guid`."""
    return _uuid5(PROFILE_NAMESPACE, _braced(guid))


def generated_profile_guid(name: str) -> UUID:
    """The GUID of the profile that Windows Terminal generates by itself for a distribution called `name`."""
    return _uuid5(GENERATED_NAMESPACE, name)


def _read(template: bytes) -> dict[str, Any]:
    if len(template) > PROFILE_TEMPLATE:
        raise ValueError(f"has {len(template)} bytes, WSL ignores a template of more than {PROFILE_TEMPLATE}")
    try:
        content = parse_json(template.removeprefix(b"\xef\xbb\xbf").decode())
    except ValueError as error:
        raise ValueError(f"is not valid JSON in UTF-8: {error}") from None
    profiles = content.get("profiles") if isinstance(content, dict) else None
    if not isinstance(profiles, list):
        raise ValueError('expected an object with an array "profiles"')
    for index, profile in enumerate(profiles):
        if not isinstance(profile, dict):
            raise ValueError(f"profiles[{index}] is not an object")
    assert isinstance(content, dict)
    return content


def _fill(profile: dict[str, Any], registration: Registration) -> None:
    profile["commandline"] = f"{registration.wsl} --distribution-id {_braced(registration.guid)}"
    profile["name"] = registration.name
    profile["guid"] = _braced(profile_guid(registration.guid))
    profile["icon"] = registration.icon or registration.wsl
    profile["pathTranslationStyle"] = "wsl"
    profile.setdefault("startingDirectory", "~")
    if registration.flavor.flavor is not None:
        profile["wsl.distribution-type"] = registration.flavor.flavor
    if registration.flavor.version is not None:
        profile["wsl.distribution-version"] = registration.flavor.version


def _doubt_count(profiles: list[dict[str, Any]]) -> list[str]:
    if len(profiles) == 1:
        return []
    return [f"has {len(profiles)} profiles: WSL gives all of them one name and GUID, so that one is useful"]


def _doubt_names(profiles: list[dict[str, Any]]) -> list[str]:
    doubts = []
    for index, profile in enumerate(profiles):
        doubts += [f"profiles[{index}].{name}: WSL overwrites it" for name in _OVERWRITTEN if name in profile]
        doubts += [
            f"profiles[{index}].{name}: has no place in the template of a distribution"
            for name in _POINTLESS
            if name in profile
        ]
    return doubts


def _doubt_schemes(content: dict[str, Any], profiles: list[dict[str, Any]]) -> list[str]:
    known = _SCHEMES | _own_schemes(content.get("schemes"))
    return [
        f"profiles[{index}].colorScheme: {scheme!r} is neither in the template nor one of Windows Terminal"
        for index, profile in enumerate(profiles)
        if isinstance(scheme := profile.get("colorScheme"), str) and scheme not in known
    ]


def _own_schemes(schemes: object) -> set[str]:
    if not isinstance(schemes, list):
        return set()
    names = [scheme.get("name") for scheme in schemes if isinstance(scheme, dict)]
    return {name for name in names if isinstance(name, str)}


def _uuid5(namespace: UUID, name: str) -> UUID:
    """RFC 9562 version 5 over UTF-16LE, as Windows Terminal and WSL compute it; uuid.uuid5 hashes UTF-8."""
    digest = hashlib.sha1(namespace.bytes + name.encode("utf-16-le"), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


def _braced(guid: UUID) -> str:
    return f"{{{guid}}}"
