"""Says in one sentence what rclone, or the storage behind it, did not like."""

from __future__ import annotations

import re

from builder.core.errors import PublishError
from builder.publish.target import MissingError

_AGAIN = "nothing that was published has changed"
_MISSING = re.compile(r"object not found|directory not found|file not found|not found: \[|404 page")
_CASES = tuple(
    (re.compile(pattern, re.IGNORECASE), message, fix)
    for pattern, message, fix in (
        (
            r"\Arclone does not answer",
            "rclone, which works for us there, has gone",
            "look into the system's log for what ended it (memory?), then try again; " + _AGAIN,
        ),
        (
            r"didn't find section in config file",
            "rclone has no remote of that name",
            "list them: rclone listremotes; make one: rclone config",
        ),
        (
            r"NoSuchBucket|ContainerNotFound|bucket .*does not exist|share .*does not exist",
            "there is no such bucket or share",
            "create it, or correct its name",
        ),
        (
            r"RequestTimeTooSkewed|clock skew|KRB_AP_ERR_SKEW",
            "this machine's clock is wrong",
            "set the clock (timedatectl set-ntp true); " + _AGAIN,
        ),
        (
            r"expired|invalid_grant",
            "the credentials have expired",
            "rclone config reconnect REMOTE:, then try again; " + _AGAIN,
        ),
        (
            r"no space left|disk space|quota|insufficient storage|disk full|\b507\b",
            "the storage is full",
            "make room, or `wslimg catalog prune` what nobody needs; " + _AGAIN,
        ),
        (
            r"InvalidAccessKeyId|SignatureDoesNotMatch|\b401\b|unauthori[sz]ed|unable to authenticate|"
            r"logon failure|bad username|incorrect password",
            "the credentials are wrong",
            "rclone config update REMOTE",
        ),
        (
            r"AccessDenied|permission denied|\b403\b|forbidden|read-only",
            "the credentials do not allow that",
            "ask for the right to list, read, write and delete there",
        ),
        (
            r"dial tcp|no such host|connection refused|connection reset|timeout|deadline|couldn't connect",
            "cannot be reached",
            "check the remote's address and the network; " + _AGAIN,
        ),
    )
)


def explain(text: str, where: str) -> PublishError:
    """The error that `text`, rclone's own words, means."""
    for pattern, message, fix in _CASES:
        if pattern.search(text):
            return PublishError(message, where=where, fix=fix)
    if _MISSING.search(text):
        return MissingError("is not there", where=where)
    first = text.strip().partition("\n")[0][:300]
    return PublishError(f"rclone says: {first}", where=where, fix=f"try `rclone lsf` there; {_AGAIN}")
