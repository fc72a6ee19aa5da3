"""Runs one command in a running container. A program of its own, started by `instance`.

Its argument is a descriptor that holds the order, marshalled: `pid` of the container's PID 1, `program`,
`argv`, `env`, `cwd`, `user` (a name or number of the image), `network` (stay in the host's network),
`terminal` (make standard input the controlling terminal). It ends with the command's exit status, or 128+n
if signal n ended it. SIGTERM kills the command with all that it started in its session.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import signal
import sys
import termios
import warnings  # noqa: F401 - os.execvpe wants it, and would find that of the image

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from builder.sandbox import kernel
from builder.sandbox.accounts import find_account
from builder.sandbox.privileges import become, limit_capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

# The user namespace first, as it gives the right to join the others; the mounts last, as they change /proc.
_NAMESPACES = ("user", "cgroup", "ipc", "uts", "net", "pid", "mnt")
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127


def main() -> NoReturn:
    """Join the container, run the command, exit as it did."""
    with open(int(sys.argv[1]), "rb") as file:
        order: dict[str, Any] = marshal.load(file)  # noqa: S302 - written by our own parent
    sys.path.clear()  # nothing may be imported from the image
    capabilities = _join(order)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        _run(order, capabilities)
    signal.signal(signal.SIGTERM, lambda *_: _kill_session(child))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.exit(code if code >= 0 else 128 - code)


def _join(order: dict[str, Any]) -> frozenset[int]:
    """Enter the container; returns what its PID 1 may do. Ends the process where that has ended."""
    try:
        capabilities = _bounding_set(order["pid"])
        _join_control_group(order["pid"])
        _join_namespaces(order["pid"], network=order["network"])
    except (FileNotFoundError, ProcessLookupError):
        os.write(2, b"its first process, a shell or init, has ended\n")
        sys.exit(_NOT_FOUND)
    return capabilities


def _bounding_set(pid: int) -> frozenset[int]:
    """What PID 1 of the container may do; a command in it may do no more."""
    with open(f"/proc/{pid}/status", "rb") as file:
        mask = next(int(line.split()[1], 16) for line in file if line.startswith(b"CapBnd:"))
    return frozenset(number for number in range(64) if mask >> number & 1)


def _join_control_group(pid: int) -> None:
    """Move into the control group of PID 1, unless it is our own, so that we count as the image's."""
    path = _control_group(str(pid))
    if path == _control_group("self"):
        return
    for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        members = f"{mount}{path}/cgroup.procs"
        if os.path.exists(members):
            with open(members, "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            return


def _control_group(pid: str) -> str:
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        return next((line.rstrip("\n")[3:] for line in file if line.startswith("0::")), "")


def _join_namespaces(pid: int, *, network: bool) -> None:
    names = [name for name in _NAMESPACES if not (network and name == "net")]
    files = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in names]
    for name, file in zip(names, files, strict=True):
        if not _same(name, file):
            kernel.check(kernel.libc.setns(file, 0), f"cannot join the {name} namespace")
    os.chroot(".")  # setns(2) made the working directory the root of the mount namespace
    os.chdir("/")


def _same(name: str, file: int) -> bool:
    """Joining the user namespace one is in is refused."""
    own, other = os.stat(f"/proc/self/ns/{name}"), os.fstat(file)
    return (own.st_dev, own.st_ino) == (other.st_dev, other.st_ino)


def _run(order: dict[str, Any], capabilities: frozenset[int]) -> NoReturn:
    os.setsid()
    if order["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    try:
        limit_capabilities(capabilities)
        account = find_account(order["user"])
        become(account.uid, account.gid, account.groups)
        os.chdir(order["cwd"] if os.path.isdir(order["cwd"]) else "/")
        os.execvpe(order["program"], order["argv"], order["env"])  # noqa: S606 - that is the task
    except OSError as error:
        os.write(2, os.fsencode(f"wslimg: {order['program']}: {error.strerror or error}\n"))
        os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE)


def _kill_session(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    main()
