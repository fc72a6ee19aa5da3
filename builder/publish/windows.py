"""Files that point Windows machines to a channel, install from it where wsl.exe cannot, and move users on.

The value belongs into the 64-bit view of the registry, as a string; any other type and wsl.exe ignores it
(microsoft/WSL src/windows/common/Distribution.cpp, src/windows/common/registry.cpp).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import Enum

from builder.model.catalog import ChannelDocument
from builder.publish.layout import APPEND_LIST, LATEST, LIST, SIGNATURE, SUMS, join_url
from builder.publish.quoting import command_line, powershell, registry, xml_attribute
from builder.publish.sign import NAMESPACE
from builder.templating import render_shipped

KEY = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Lxss"


class Mode(Enum):
    """Whether the list stands in the place of Microsoft's, or is asked before it."""

    REPLACE = "replace"
    APPEND = "append"


_VALUES = {
    Mode.REPLACE: ("DistributionListUrl", LIST),
    Mode.APPEND: ("DistributionListUrlAppend", APPEND_LIST),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A value of the registry."""

    value: str
    url: str


def list_setting(base_url: str, channel: str, mode: Mode) -> Setting:
    """What has to be set for `channel` of the catalog at `base_url`."""
    value, name = _VALUES[mode]
    return Setting(value=value, url=join_url(base_url, f"{channel}/{name}"))


def render_windows(document: ChannelDocument, mode: Mode, public_key: str) -> dict[str, bytes]:
    """Name -> content of all files for `document`, ASCII with CRLF. With `public_key` the scripts demand a
    signature by it. Raises UsageError for an address that one of the languages cannot express."""
    setting = list_setting(document.base_url, document.channel, mode)
    texts = {
        "set.reg": _reg(f"{registry(setting.value)}={registry(setting.url)}"),
        "delete.reg": _reg(f"{registry(setting.value)}=-"),
        "set.cmd": "@echo off\n" + reg_add(setting, in_file=True) + "\n",
        "intune-detect.ps1": _render("intune-detect.ps1.j2", setting),
        "intune-remediate.ps1": _render("intune-remediate.ps1.j2", setting),
        "group-policy-preferences.xml": _preferences(setting),
    }
    for flavor in document.flavors:
        for act in ("install", "migrate"):
            texts[f"{act}-{flavor.flavor}.ps1"] = _script(act, document, flavor.flavor, public_key)
    return {name: text.replace("\n", "\r\n").encode("ascii") for name, text in texts.items()}


def reg_add(setting: Setting, *, in_file: bool = False) -> str:
    """The command that sets the value, for a prompt or (`in_file`) a batch file."""
    url = command_line(setting.url, in_file=in_file)
    return f'reg add "HKLM\\{KEY}" /v {setting.value} /t REG_SZ /d {url} /f /reg:64'


def reg_delete(setting: Setting) -> str:
    """The command that undoes `reg_add`: WSL then reads Microsoft's list alone."""
    return f'reg delete "HKLM\\{KEY}" /v {setting.value} /f /reg:64'


def _reg(line: str) -> str:
    return f"Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\{KEY}]\n{line}\n\n"


def _render(template: str, setting: Setting) -> str:
    variables = {"key": KEY, "value": setting.value, "url": powershell(setting.url)}
    return render_shipped(f"windows/{template}", variables)


def _preferences(setting: Setting) -> str:
    # An item is known by its number: the same value has the same, so that importing it again replaces it.
    number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"HKLM/{KEY}/{setting.value}")).upper()
    texts = {"key": KEY, "value": setting.value, "url": setting.url, "number": f"{{{number}}}"}
    variables = {name: xml_attribute(text) for name, text in texts.items()}
    return render_shipped("windows/group-policy-preferences.xml.j2", variables)


def _script(act: str, document: ChannelDocument, flavor: str, public_key: str) -> str:
    folder = join_url(document.base_url, document.channel)
    texts = {
        "flavor": flavor,
        "latest": f"{folder}/{LATEST}",
        "sums": f"{folder}/{SUMS}",
        "signature": f"{folder}/{SUMS}{SIGNATURE}",
        "namespace": NAMESPACE,
        "public_key": public_key,
    }
    return render_shipped(f"windows/{act}.ps1.j2", {name: powershell(text) for name, text in texts.items()})
