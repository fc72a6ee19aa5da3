"""What an init system needs beyond what a command gets: control groups, a console, and all capabilities.

The capabilities are those of a user namespace in which every id is the host's. systemd can mount and
configure as it likes in there, and cannot touch the host's devices, clock, modules or control groups.
"""

from __future__ import annotations

import errno
import os
import time

from builder.sandbox import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the same without its enumerations, whose import takes 3 ms

_GROUP = "wslimg-boot-"
_SEALED = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
_EVERY_ID = b"0 0 4294967295"


class ControlGroup:
    """A group of its own for PID 1, below the group of this process. Raises OSError where that cannot be.

    Reached by descriptors, because the launcher loses sight of the host's files once PID 1 has changed the
    root. Left-overs of launchers that were killed are removed on the way.
    """

    def __init__(self) -> None:
        self._parent = os.open(_own_control_group(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in os.listdir(self._parent):
            if name.startswith(_GROUP) and not os.path.exists(f"/proc/{name.removeprefix(_GROUP)}"):
                _remove(self._parent, name)
        self._name = f"{_GROUP}{os.getpid()}"
        os.mkdir(self._name, dir_fd=self._parent)
        members = f"{self._name}/cgroup.procs"
        self._members = os.open(members, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._parent)

    def join(self) -> None:
        """Move this process into the group, and make that all it can see of control groups."""
        os.write(self._members, b"0")
        kernel.unshare(kernel.CLONE_NEWCGROUP)

    def remove(self) -> None:
        """Remove the group, when all of its processes have ended."""
        _remove(self._parent, self._name)


def _remove(parent: int, name: str) -> None:
    for _, folders, _, descriptor in os.fwalk(name, topdown=False, dir_fd=parent):
        for folder in folders:
            _remove_empty(folder, descriptor)
    _remove_empty(name, parent)


def _remove_empty(name: str, parent: int) -> None:
    """The kernel says "busy" for some milliseconds after the last process has ended."""
    for _ in range(50):
        try:
            return os.rmdir(name, dir_fd=parent)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        time.sleep(0.01)
    return None


def refuse_boot() -> str:
    """Why this process cannot boot anything; empty where it can.

    An ordinary user can where systemd has given the session's group away: `systemd-run --user --scope`.
    """
    try:
        group = _own_control_group()
    except OSError as error:
        return str(error.strerror)
    if not os.access(f"{group}/cgroup.procs", os.W_OK) or not os.access(group, os.W_OK):
        return "systemd wants a control group of its own: be root, or use systemd-run --user --scope"
    return ""


def _own_control_group() -> str:
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        own = next((line.rstrip("\n")[3:] for line in file if line.startswith("0::")), None)
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
    if own is None or not mounts:
        raise OSError(errno.ENOTSUP, "cannot boot: this host has no control groups of version 2")
    return mounts[0] + own.rstrip("/")


def enter_mapped_namespace() -> None:
    """Enter a user namespace with the ids of the current one; stay in one that is not the host's.

    A child that stays outside writes the maps, which the new namespace itself may not. Raises OSError.
    """
    with open("/proc/self/uid_map", "rb") as file:
        if b" ".join(file.read().split()) != _EVERY_ID:
            return
    reader, writer = os.pipe()
    process, child = os.getpid(), os.fork()
    if child == 0:
        os.close(writer)
        _map_ids(process, reader)
    os.close(reader)
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
        os.write(writer, b".")
    finally:
        os.close(writer)
        status = os.waitpid(child, 0)[1]
    if status:
        raise OSError(errno.EPERM, "cannot boot: the ids of a user namespace cannot be set")
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _map_ids(process: int, reader: int) -> None:
    try:
        if os.read(reader, 1):
            for name in ("uid_map", "gid_map"):
                _write(f"/proc/{process}/{name}", _EVERY_ID)
            os._exit(0)
    finally:
        os._exit(1)


def prepare_boot(terminal: int) -> None:
    """Show the control group as the whole of /sys/fs/cgroup and `terminal` (-1: none) as the console.

    To be called inside the root of the container. Raises OSError, and then nothing may be booted: systemd
    would mount the host's control groups by itself.
    """
    kernel.mount("cgroup2", "/sys/fs/cgroup", "cgroup2", _SEALED)
    if terminal >= 0:
        os.close(os.open("/dev/console", os.O_CREAT | os.O_WRONLY, 0o600))
        kernel.mount(os.ttyname(terminal), "/dev/console", flags=kernel.MS_BIND)


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
