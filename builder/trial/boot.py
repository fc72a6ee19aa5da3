"""BOOT: systemd as PID 1 as WSL starts it, what it makes of the image's units, and its end.

Source: microsoft/WSL src/linux/init/init.cpp and config.cpp (systemd), WslCoreInstance.cpp (the waiting).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.trial.import_ import Imported
from builder.trial.instance import Instance, start_instance
from builder.trial.prepare import SYSTEMD_ENVIRONMENT, systemd_mounts
from builder.trial.report import StageLog
from builder.trial.systemd import ask, journal, pending_jobs
from builder.wsl.units import find_unit

INIT = "/sbin/init"
_PATIENCE = 60.0
_INTERVAL = 0.1  # WSL looks every 250 ms
_STARTED = ("running", "degraded")

_ONLY_HERE = {
    "dev-hugepages.mount": "a container may not mount it",
    "dev-mqueue.mount": "a container may not mount it",
    "proc-sys-fs-binfmt_misc.automount": "a container may not mount it",
    "proc-sys-fs-binfmt_misc.mount": "a container may not mount it",
    "sys-fs-fuse-connections.mount": "a container may not mount it",
    "sys-kernel-config.mount": "a container may not mount it",
    "sys-kernel-debug.mount": "a container may not mount it",
    "sys-kernel-tracing.mount": "a container may not mount it",
    "systemd-binfmt.service": "a container may not register interpreters",
    "systemd-journald-audit.socket": "a container has no audit socket",
    "systemd-modules-load.service": "the modules of this host's kernel are not in the image",
    "systemd-sysctl.service": "a container may not change the kernel's settings",
    "systemd-udev-trigger.service": "a container has no devices of its own",
    "systemd-udevd.service": "a container has no devices of its own",
}


def wants_systemd(imported: Imported, log: StageLog) -> bool:
    """Whether WSL would make systemd PID 1 of this image."""
    if not imported.wsl.effective["boot.systemd"]:
        log.skipped = "boot.systemd is not set"
        return False
    if not imported.tree.is_executable(INIT):
        log.fail(
            "boot.systemd is set, and /sbin/init cannot be executed: WSL goes on without systemd",
            path=INIT,
            fix="install systemd-sysv (Debian) or systemd, or drop boot.systemd",
            rule="WSL301",
        )
        return False
    return True


@contextmanager
def start_systemd(tree: Path) -> Iterator[Instance]:
    """The distribution in `tree` with systemd as PID 1, in the surroundings that WSL gives it."""
    mounts = systemd_mounts()
    with start_instance(tree, init=(INIT,), env=SYSTEMD_ENVIRONMENT, mounts=mounts) as instance:
        yield instance


def boot_systemd(instance: Instance, imported: Imported, log: StageLog) -> None:
    """Wait as WSL does, then name what failed. `instance.booted` is whether systemd answers at all."""
    start = time.monotonic()
    state = _await_start(instance, start)
    seconds = time.monotonic() - start
    log.fact("state", f"{state or 'none'} after {seconds:.1f} s")
    if not state:
        log.fail(f"systemd does not answer: {_console(instance)}", path=INIT)
        return
    instance.booted = True
    _judge_waiting(instance, imported, state, seconds, log)
    log.fact("virtualization", ask(instance, "systemd-detect-virt").output.strip())
    failed = _failed_units(instance)
    for unit in failed:
        if unit not in _ONLY_HERE:
            _explain_unit(instance, unit, log)
    for reason in sorted(set(_ONLY_HERE.values())):
        if units := [unit for unit in failed if _ONLY_HERE.get(unit) == reason]:
            log.inform(f"failed, and will not in WSL: {reason}", path=", ".join(units))


def _await_start(instance: Instance, start: float) -> str:
    state = ""
    while time.monotonic() - start < _PATIENCE:
        state = ask(instance, "systemctl", "is-system-running").output.strip()
        if state in _STARTED or not instance.running:
            break
        time.sleep(_INTERVAL)
    return state


def _judge_waiting(instance: Instance, imported: Imported, state: str, seconds: float, log: StageLog) -> None:
    """WSL opens the shell after boot.initTimeout in any case, on a system that is not ready."""
    timeout = imported.wsl.effective["boot.initTimeout"]
    assert isinstance(timeout, int)
    if state in _STARTED and seconds * 1000 <= timeout:
        return
    jobs = pending_jobs(instance)
    log.fail(
        f"not started after {timeout} ms, when WSL stops waiting"
        + (f"; still running:\n{jobs}" if jobs else ""),
        path=INIT,
        fix="mask the unit that waits; *-wait-online units wait for a network that WSL configures itself",
        rule="WSL302",
    )


def _failed_units(instance: Instance) -> list[str]:
    listed = ask(instance, "systemctl", "list-units", "--failed", "--no-legend", "--plain").output
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def _explain_unit(instance: Instance, unit: str, log: StageLog) -> None:
    advice = find_unit(unit)
    harmful = advice is not None and advice.masked
    fix = (
        f"mask it: {advice.reason}" if advice and harmful else "see the lines above; mask it if WSL lacks it"
    )
    message = f"failed:\n{journal(instance, '-u', unit)}"
    log.fail(message, path=unit, fix=fix, rule="WSL302" if harmful else "")


def _console(instance: Instance) -> str:
    text = instance.console.decode(errors="replace").strip()
    return "\n".join(text.splitlines()[-8:]) or "it printed nothing"
