"""What WSL runs at every start: `mount -a`, and the image's `boot.command`.

Source: microsoft/WSL src/linux/init/config.cpp (ConfigMountFsTab, ConfigInitializeInstance).
"""

from __future__ import annotations

from builder.trial.import_ import Imported
from builder.trial.instance import Command, Instance
from builder.trial.prepare import host_resolver
from builder.trial.report import StageLog
from builder.trial.session import ROOT, find_account, read_language, session_environment

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def can_run(instance: Instance) -> bool:
    """Whether a shell can be started in it."""
    return instance.running and instance.run(_shell(":")).status == 0


def judge_shell(instance: Instance, log: StageLog) -> None:
    """Say why no shell can be started, if so."""
    if not instance.running:
        log.fail("its first process ended at once", path="/bin/sh")
        return
    result = instance.run(_shell(":"))
    if result.status:
        log.fail(
            f"no program of the image can be run: {result.last_lines}",
            path="/bin/sh",
            fix="install a shell; an image for another architecture needs a machine of that architecture",
            rule="WSL402" if result.status == 126 else "WSL401",
        )


def show_resolver(instance: Instance) -> None:
    """Put the host's name servers where WSL puts those of Windows."""
    instance.run(_shell("cat >/etc/resolv.conf"), stdin=host_resolver().decode(errors="replace"))


def run_start_commands(instance: Instance, imported: Imported, log: StageLog) -> None:
    """Mount what /etc/fstab names and run boot.command. Failures of either are only shown to the user."""
    settings = imported.wsl.effective
    if settings["automount.mountFsTab"]:
        _mount_all(instance, log)
    if command := settings["boot.command"]:
        root = find_account(imported.tree, 0) or ROOT
        environment = session_environment(root, read_language(imported.tree), imported.name)
        order = Command(program="/bin/sh", argv=("/bin/sh", "-c", str(command)), env=environment, limit=10)
        result = instance.run(order)
        log.fact("boot.command", f"exit status {result.status}")
        if result.status:
            message = f"boot.command ended with {result.status}: {result.last_lines}"
            log.warn(message, path="/etc/wsl.conf", rule="WSL118")


def _mount_all(instance: Instance, log: StageLog) -> None:
    result = instance.run(_shell("/bin/mount -a"))
    if result.status:
        log.fail(
            f"Processing /etc/fstab with mount -a failed. {result.last_lines}",
            path="/etc/fstab",
            fix="ship an fstab with nothing but comments, or set automount.mountFsTab to false",
            rule="WSL405",
        )


def _shell(script: str) -> Command:
    return Command(program="/bin/sh", argv=("/bin/sh", "-c", script), env=_ENVIRONMENT)
