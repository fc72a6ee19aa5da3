"""What the help page says: WSL's messages and error codes, and the settings that an administrator makes."""

from __future__ import annotations

from dataclasses import dataclass

from builder.publish.site.describe import Site
from builder.publish.windows import KEY, Mode, list_setting, reg_add
from builder.wsl.codes import CODES, ErrorCode

QUERY = rf'reg query "HKLM\{KEY}" /reg:64'
"""Shows what a machine is set to."""
_FREQUENT = (
    "ERROR_ALREADY_EXISTS",
    "WSL_E_DISTRO_NOT_FOUND",
    "TRUST_E_BAD_DIGEST",
    "WININET_E_NAME_NOT_RESOLVED",
    "WININET_E_CANNOT_CONNECT",
    "HTTP_E_STATUS_NOT_FOUND",
    "WSL_E_INVALID_JSON",
    "WSL_E_IMPORT_FAILED",
    "WSL_E_DISTRIBUTION_NAME_NEEDED",
    "WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED",
    "WSL_E_VIRTUAL_MACHINE_PLATFORM_REQUIRED",
    "ERROR_DISK_FULL",
)
"""What people meet when they install, in the order of how far they get."""
ADVICE = {
    "WSL_E_DISTRO_NOT_FOUND": (
        "Compare the name with what `wsl --list --online` shows. Where it shows none of this catalog, the "
        "machine has to be set up first."
    ),
    "TRUST_E_BAD_DIGEST": (
        "Try again: the list may have changed while you downloaded. If it stays, do not work around it; tell "
        "the owner, since what arrived is not what was published."
    ),
    "WININET_E_NAME_NOT_RESOLVED": "Connect to your organisation's network or VPN, then try again.",
    "WININET_E_CANNOT_CONNECT": "Connect to your organisation's network or VPN, then try again.",
    "HTTP_E_STATUS_NOT_FOUND": "Try again later; if it stays, tell the owner which name you asked for.",
    "WSL_E_INVALID_JSON": "Nothing on your machine is wrong. Tell whoever runs this catalog.",
    "WSL_E_IMPORT_FAILED": (
        "Run `wsl --update` and try again. If it stays, give the owner the lines above the code."
    ),
    "WSL_E_DISTRIBUTION_NAME_NEEDED": "Add `--name` and a name of your choice.",
}
"""What people can do themselves where a code's own fix is for those who publish."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pointer:
    """The commands that let a machine see `channel`: in the place of Microsoft's list, or beside it."""

    channel: str
    replace: str
    append: str


def point_to(site: Site) -> tuple[Pointer, ...]:
    """The settings for each channel of `site`."""
    return tuple(
        Pointer(
            channel=channel,
            replace=reg_add(list_setting(site.base_url, channel, Mode.REPLACE)),
            append=reg_add(list_setting(site.base_url, channel, Mode.APPEND)),
        )
        for channel in site.channels
    )


def frequent_codes() -> tuple[ErrorCode, ...]:
    """The codes that people meet when they install."""
    by_name = {code.name: code for code in CODES}
    return tuple(by_name[name] for name in _FREQUENT)


def other_codes() -> tuple[ErrorCode, ...]:
    """All others, in the order of their table."""
    return tuple(code for code in CODES if code.name not in _FREQUENT)
