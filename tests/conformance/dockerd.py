"""Container engines of the tests' own: in namespaces of their own, which end with them.

Without its own network namespace `dockerd --bridge=none` would delete the bridge of an engine that is there.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.ordinary_user import new_user

_OWN_NAMESPACES = (
    "unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
    "--mount-proc", "sh", "-c", 'ip link set lo up; exec "$@"', "engine",
)  # fmt: skip
# The capabilities of Docker's containers: Podman gives fewer, unless told so.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=PROCESSES:PROCESSES"]
default_capabilities = [
  "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
  "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"
]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"""


@contextmanager
def running_dockerd(*options: str, inherited: int | None = None, room: str = "") -> Iterator[str]:
    """The address of a Docker engine without a network. It also answers at the listening socket `inherited`,
    as it does where systemd starts it (sd_listen_fds(3)), and has no more than `room` on its disk ("20m")."""
    with engine_folder() as folder:
        command = (
            "dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
            "--host", f"unix://{folder}/engine.sock", "--pidfile", f"{folder}/pid", "--bridge=none",
            "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--group=root", "--log-level=warn",
            *options,
        )  # fmt: skip
        if inherited is not None:
            listen = f'exec env LISTEN_PID=$$ LISTEN_FDS=1 "$@" 3<&{inherited}'
            command = ("bash", "-c", listen, "engine", *command, "--host", "fd://")
        if room:
            mount = f'mkdir {folder}/data; mount -t tmpfs -o size={room} data {folder}/data; exec "$@"'
            command = ("sh", "-c", mount, "engine", *command)
        with _running(folder, command, {}, inherited=inherited) as address:
            yield address


@contextmanager
def running_podman() -> Iterator[str]:
    """The address of Podman's service without a network."""
    with (
        engine_folder() as folder,
        _running(folder, _podman(folder), _podman_environment(folder)) as address,
    ):
        yield address


@contextmanager
def running_rootless_podman() -> Iterator[str]:
    """The address of the service of an ordinary user's Podman, without a network."""
    with new_user("podman", subordinate_ids=True) as user, engine_folder() as folder:
        env = _podman_environment(folder)
        user.own(folder)
        become = (
            "setpriv", "--reuid", user.name, "--regid", user.name, "--init-groups", "--inh-caps=-all",
            "--pdeathsig", "KILL",
        )  # fmt: skip
        env |= {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder), "USER": user.name}
        with _running(folder, (*become, *_podman(folder)), env) as address:
            yield address


def _podman(folder: Path) -> tuple[str, ...]:
    return (
        "podman", "--root", f"{folder}/data", "--runroot", f"{folder}/exec",
        "system", "service", "--time=0", f"unix://{folder}/engine.sock",
    )  # fmt: skip


def _podman_environment(folder: Path) -> dict[str, str]:
    # Podman's own limit is higher than a process without CAP_SYS_RESOURCE may set.
    processes = str(resource.getrlimit(resource.RLIMIT_NPROC)[1])
    (folder / "containers.conf").write_text(_CONTAINERS_CONF.replace("PROCESSES", processes))
    return {"CONTAINERS_CONF": f"{folder}/containers.conf"}


@contextmanager
def engine_folder() -> Iterator[Path]:
    """A folder in memory: engines leave much behind, and deleting it from a disk takes long."""
    folder = Path(tempfile.mkdtemp(prefix="wslimg-engine-", dir="/dev/shm"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(
    folder: Path, command: tuple[str, ...], env: Mapping[str, str], *, inherited: int | None = None
) -> Iterator[str]:
    address = f"unix://{folder}/engine.sock"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*_OWN_NAMESPACES, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), **env},
            pass_fds=() if inherited is None else (inherited,),
            start_new_session=True,
        )
    try:
        _wait(address, process, folder / "log")
        yield address
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process of the namespace: `unshare` ends when nothing of it is left."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for each in children or [process.pid]:
        os.kill(int(each), signal.SIGKILL)
    process.wait()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(address.removeprefix("unix://"))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                if b"200 OK" in connection.recv(1024):
                    return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.05)
