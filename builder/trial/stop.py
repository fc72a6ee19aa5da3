"""SHUTDOWN: systemd's way down. Source: microsoft/WSL src/linux/init/init.cpp (the end of an instance)."""

from __future__ import annotations

import subprocess
import time

from builder.trial.import_ import Imported
from builder.trial.instance import Instance
from builder.trial.report import StageLog
from builder.trial.systemd import ask, pending_jobs


def stop(instance: Instance, imported: Imported, log: StageLog) -> None:
    """Power off as WSL does, which uses force after boot.initTimeout, and at once without systemd."""
    if not instance.booted:
        log.skipped = "there is no systemd to shut down"
        return
    timeout = imported.wsl.effective["boot.initTimeout"]
    assert isinstance(timeout, int)
    start = time.monotonic()
    ask(instance, "systemctl", "poweroff")
    try:
        instance.container.wait(timeout / 1000)
        log.fact("powered off", f"after {time.monotonic() - start:.1f} s")
    except subprocess.TimeoutExpired:
        log.fail(
            f"still running {timeout} ms after poweroff, when WSL uses force:\n{pending_jobs(instance)}",
            path="/sbin/init",
            fix="give the unit that does not stop a shorter TimeoutStopSec",
        )
