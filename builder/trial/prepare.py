"""What WSL changes in a distribution at every start, before anything of the distribution runs.

Source: microsoft/WSL src/linux/init/config.cpp (ConfigInitializeCommon, ConfigInitializeInstance) and
init.cpp (GenerateSystemdUnits).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.sandbox.spec import Mount, file
from builder.trial.inside import Inside
from builder.trial.report import StageLog
from builder.wsl.config import ParsedConfig

_FOLDERS = ("/bin", "/dev", "/mnt/wsl", "/mnt/wslg/.X11-unix", "/proc", "/run", "/sbin", "/sys")
_LINKS = ("/bin/wslinfo", "/bin/wslpath", "/sbin/mount.drvfs")
_RESOLVER = "/mnt/wsl/resolv.conf"

SYSTEMD_ENVIRONMENT = {
    "container": "wsl",
    "container_host_id": "windows",
    "container_host_version_id": "10.0.26100",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
}

_MASKS = (
    "systemd-networkd-wait-online.service",
    "NetworkManager-wait-online.service",
    "console-getty.service",
)
_SYSTEM_GENERATOR = f"""#!/bin/sh
for unit in {" ".join(_MASKS)}; do
    ln -sf /dev/null "$1/$unit"
done
cat >"$1/wslg.service" <<'UNIT'
[Unit]
Description=WSLg Remount Service
DefaultDependencies=no
After=systemd-tmpfiles-setup.service tmp.mount
ConditionPathExists=/mnt/wslg/.X11-unix
ConditionPathExists=!/tmp/.X11-unix/X0
[Service]
Type=oneshot
ExecStart=/bin/mount -o bind,ro,X-mount.mkdir -t none /mnt/wslg/.X11-unix /tmp/.X11-unix
UNIT
mkdir -p "$1/multi-user.target.wants"
ln -sf ../wslg.service "$1/multi-user.target.wants/wslg.service"
"""


def systemd_mounts() -> tuple[Mount, ...]:
    """The generator that WSL shows to systemd, and its rule for systemd-tmpfiles."""
    return (
        file("/run/systemd/system-generators/wsl-generator", _SYSTEM_GENERATOR.encode(), mode=0o755),
        file("/run/tmpfiles.d/x11.conf", b"# WSLg mounts /tmp/.X11-unix\n"),
    )


def prepare_tree(tree: Inside, wsl: ParsedConfig, log: StageLog) -> None:
    """Change the tree as a start does. What WSL cannot do and dies of is an error in `log`."""
    settings = wsl.effective
    for path in _FOLDERS:
        with _or(log.fail, path, "WSL cannot make this folder, and does not start", "WSL420"):
            tree.make_folder(path)
    for path in _LINKS:
        with _or(log.fail, path, "WSL cannot put its link there, and does not start", "WSL420"):
            tree.make_link(path, "/init")
    if settings["network.generateResolvConf"]:
        with _or(
            log.warn, "/etc/resolv.conf", "WSL cannot replace it: there is no name resolution", "WSL408"
        ):
            tree.write(_RESOLVER, host_resolver())
            tree.make_link("/etc/resolv.conf", _RESOLVER, replace=True)
    if settings["network.generateHosts"]:
        with _or(log.warn, "/etc/hosts", "WSL cannot write it"):
            tree.write("/etc/hosts", b"127.0.0.1\tlocalhost\n127.0.1.1\twslimg\n::1\tip6-localhost\n")
    with _or(log.warn, "/etc/hostname", "WSL cannot write it"):
        tree.write("/etc/hostname", b"wslimg\n")
    _judge_time_zone(tree, wsl, log)


def host_resolver() -> bytes:
    """The name servers of this host, which stand for those of Windows."""
    try:
        return Path("/etc/resolv.conf").read_bytes()
    except FileNotFoundError:
        return b""


def _judge_time_zone(tree: Inside, wsl: ParsedConfig, log: StageLog) -> None:
    if wsl.effective["time.useWindowsTimezone"] and not tree.exists("/usr/share/zoneinfo"):
        log.warn(
            "WSL says that it cannot set the time zone",
            path="/usr/share/zoneinfo",
            fix="install tzdata, or set time.useWindowsTimezone to false",
            rule="WSL419",
        )


@contextmanager
def _or(complain: Callable[..., None], path: str, message: str, rule: str = "") -> Iterator[None]:
    """Do something to the tree, or complain that it cannot be done."""
    try:
        yield
    except OSError as error:
        fix = "remove what is in the way from the image"
        complain(f"{message}: {error.strerror}", path=path, fix=fix, rule=rule)
