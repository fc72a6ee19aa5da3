"""The audit log: one file for each change, so that writers never meet."""

from __future__ import annotations

import getpass
import secrets
import socket
from collections.abc import Sequence
from datetime import UTC, datetime

from builder.model.catalog import AuditRecord
from builder.publish.layout import AUDIT
from builder.publish.read import parse_model
from builder.publish.render import encode_model
from builder.publish.target import Target


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def record(target: Target, action: str, channel: str, subjects: Sequence[str]) -> None:
    """Note that `action` was done with `subjects` in `channel` ("" for the whole catalog)."""
    entry = AuditRecord(time=now(), who=_who(), action=action, channel=channel, subjects=tuple(subjects))
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}.json"
    target.put_bytes(AUDIT + name, encode_model(entry))


def read_records(target: Target) -> tuple[AuditRecord, ...]:
    """What was done, in order of time. Raises PublishError."""
    paths = target.list(AUDIT)
    return tuple(parse_model(AuditRecord, target.get(path), f"{target.place}/{path}") for path in paths)


def _who() -> str:
    """The user and the machine; a user without a name is a number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "?"
    return f"{user}@{socket.gethostname()}"
