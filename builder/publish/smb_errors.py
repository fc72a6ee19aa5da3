"""Says in one sentence what a file server did not like (MS-ERREF, 2.3: NTSTATUS values)."""

from __future__ import annotations

from builder.core.errors import PublishError
from builder.publish.target import MissingError

NAME_COLLISION = 0xC0000035
ACCESS_DENIED = 0xC0000022
SHARING_VIOLATION = 0xC0000043
NO_SHARE = 0xC00000CC
DELETE_PENDING = 0xC0000056
_MISSING = frozenset({0xC0000034, 0xC000003A, 0xC000000F, DELETE_PENDING, 0xC0000103, 0xC0000225})
"""NAME_NOT_FOUND, PATH_NOT_FOUND and their kin; what waits for its deletion is as good as gone."""

_AGAIN = "nothing that was published has changed"
LOGIN = "set WSLIMG_SMB_USER and WSLIMG_SMB_PASSWORD, or get a Kerberos ticket with kinit"
_RENEW = "set a new password, then try again; " + _AGAIN
_ROOM = "make room, or `wslimg catalog prune` what nobody needs; " + _AGAIN
_CASES = {
    0xC000006D: ("the login is wrong", LOGIN),
    0xC0000064: ("the login is wrong", LOGIN),
    0xC000006A: ("the login is wrong", LOGIN),
    0xC0000071: ("the password has expired", _RENEW),
    0xC0000224: ("the password has expired", _RENEW),
    0xC0000193: ("the account has expired", "ask for another account; " + _AGAIN),
    0xC0000072: ("the account is disabled", "ask for another account; " + _AGAIN),
    0xC0000234: ("the account is locked", "wait, or have it unlocked; " + _AGAIN),
    0xC0000133: ("this machine's clock is wrong", "set the clock (timedatectl set-ntp true); " + _AGAIN),
    NO_SHARE: ("there is no such share", "correct its name, or make it"),
    ACCESS_DENIED: ("may not be written or read", "ask for the right to change files there"),
    0xC00000A2: ("cannot be written", "ask for the right to change files there"),
    SHARING_VIOLATION: ("is kept open by somebody", "try again when nobody installs from it; " + _AGAIN),
    0xC000007F: ("the disk is full", _ROOM),
    0xC0000044: ("the quota is used up", _ROOM),
}


def explain(status: int, text: str, where: str) -> PublishError:
    """The error that `status` means; `text` are the words of the library, for a status that is not known."""
    if status in _MISSING:
        return MissingError("is not there", where=where)
    message, fix = _CASES.get(
        status, (f"the server answered: {text}", "look into the server's log; " + _AGAIN)
    )
    return PublishError(message, where=where, fix=fix)


def unreachable(text: str, where: str) -> PublishError:
    """The error of a server that does not answer."""
    return PublishError(
        f"cannot be reached ({text})", where=where, fix="check address and network; " + _AGAIN
    )
