"""Asks systemd in a running instance."""

from __future__ import annotations

from builder.trial.instance import Command, Instance, Result
from builder.trial.prepare import SYSTEMD_ENVIRONMENT


def ask(instance: Instance, *argv: str) -> Result:
    """Run systemctl or one of its kind as root."""
    command = Command(program=argv[0], argv=argv, env={**SYSTEMD_ENVIRONMENT, "LC_ALL": "C"}, limit=15)
    return instance.run(command)


def unit_state(instance: Instance, unit: str) -> str:
    """What `systemctl is-active` says of `unit`."""
    return ask(instance, "systemctl", "is-active", unit).output.strip()


def pending_jobs(instance: Instance) -> str:
    """What systemd still waits for, a unit a line; empty when that is nothing."""
    output = ask(instance, "systemctl", "list-jobs", "--no-legend", "--plain").output.strip()
    return "" if output.startswith("No jobs") else output


def journal(instance: Instance, *matches: str) -> str:
    """The last lines of the journal of this boot that fit the options `matches`."""
    result = ask(instance, "journalctl", "-b", "-n", "8", "--no-pager", "-o", "cat", *matches)
    return result.output.strip() or result.last_lines or "the journal has nothing about it"
