"""The user's systemd, which WSL starts by a hidden login beside its own shell.

Source: microsoft/WSL src/linux/init/init.cpp (the login session of a user).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from builder.trial.import_ import Imported
from builder.trial.instance import Command, Instance
from builder.trial.report import StageLog
from builder.trial.session import ROOT, Account, find_account, read_language, session_environment
from builder.trial.systemd import journal, unit_state

_INTERVAL = 0.1


@contextmanager
def user_session(instance: Instance, imported: Imported, account: Account, log: StageLog) -> Iterator[None]:
    """Log the user in as WSL does besides its own shell, wait for the user's systemd, and stay."""
    timeout = imported.wsl.effective["boot.initTimeout"]
    assert isinstance(timeout, int)
    root = find_account(imported.tree, 0) or ROOT
    command = Command(
        program="/bin/login",
        argv=("/bin/login", "-f", account.name),
        env=session_environment(root, read_language(imported.tree), imported.name),
    )
    unit, start = f"user@{account.uid}.service", time.monotonic()
    with instance.terminal(command) as (process, _):
        while (state := unit_state(instance, unit)) != "active" and time.monotonic() - start < timeout / 1000:
            if process.poll() is not None and state != "activating":
                break
            time.sleep(_INTERVAL)
        log.fact("user session", f"{unit} is {state} after {time.monotonic() - start:.1f} s")
        if state != "active":
            log.fail(
                f"Failed to start the systemd user session for '{account.name}':\n"
                + journal(instance, "-u", unit, "-u", "systemd-logind.service", "-t", "login"),
                path="/bin/login",
                fix="install login, pam_systemd and a D-Bus for users (libpam-systemd, dbus-user-session)",
                rule=_rule(imported),
            )
        yield


def _rule(imported: Imported) -> str:
    """The check for the first link of the chain that is missing: login, D-Bus, PAM."""
    if not imported.tree.is_executable("/bin/login"):
        return "WSL306"
    return "WSL307" if imported.tree.exists("/usr/bin/dbus-daemon") else "WSL308"
