"""PID 1 of a container: prepares it, starts the command, reaps orphans, forwards signals."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import termios

from builder.sandbox import kernel
from builder.sandbox.accounts import Account, find_account
from builder.sandbox.boot import prepare_boot
from builder.sandbox.plain_root import enter_plain_root
from builder.sandbox.privileges import DOCKER_CAPABILITIES, become, limit_capabilities, permitted_capabilities
from builder.sandbox.rootfs import enter_root
from builder.sandbox.seccomp import install_filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn

    from builder.sandbox.boot import ControlGroup
    from builder.sandbox.spec import ContainerSpec
else:
    import _signal as signal  # the same without its enumerations, whose import takes 3 ms

SETUP_FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
STARTED = b"started"
TERMINAL = b"terminal"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CAP_SYS_ADMIN = 21
_AF_INET, _SOCK_DGRAM = 2, 2
_TIOCSPTLCK, _TIOCGPTN = 0x40045431, 0x80045430
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def run_init(spec: ContainerSpec, control: int, group: ControlGroup | None = None) -> NoReturn:
    """Be PID 1 until the command ends; exit with its status, or 128+n if signal n ended it.

    With `spec.boot` the command becomes PID 1 itself, in the control group `group`.
    """
    try:
        if group:
            group.join()
        account = _prepare(spec)
        terminal = _open_terminal(control) if spec.terminal else -1
        if spec.boot:
            prepare_boot(terminal)
    except OSError as error:
        os.write(control, os.fsencode(error.strerror or str(error)))
        os._exit(SETUP_FAILED)
    if not spec.boot:
        if spec.isolation == "namespaces" or _may_filter():
            install_filter()
        limit_capabilities(DOCKER_CAPABILITIES)
    os.write(control, STARTED)
    if spec.boot:
        run_command(spec, account, terminal)
    child = os.fork()
    if child == 0:
        run_command(spec, account, terminal)
    _forward_signals(child)
    os._exit(_reap_until(child))


def _may_filter() -> bool:
    """Only with CAP_SYS_ADMIN: the other way, no_new_privs, would break set-user-ID programs (seccomp(2))."""
    return bool(permitted_capabilities() >> _CAP_SYS_ADMIN & 1)


def _prepare(spec: ContainerSpec) -> Account:
    os.umask(0o022)
    # Not dumpable: nothing in the container may open /proc/1/exe, which is a program of the host.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    contained = spec.isolation == "namespaces"
    if contained:
        kernel.set_hostname(spec.hostname)
    mounts = contained or _enter_own_mounts(spec)
    if mounts and not spec.network:
        _raise_loopback()
    if spec.terminal:
        import socket  # noqa: F401 - costs 4 ms; after enter_root it could not be found
    sys.path.clear()  # nothing is ever imported from the image
    if mounts:
        enter_root(spec)
    else:
        enter_plain_root(spec)
    return find_account(spec.user)


def _enter_own_mounts(spec: ContainerSpec) -> bool:
    """Enter a mount namespace; whether that is allowed. Without one, mounts would outlast a killed build."""
    try:
        kernel.unshare(kernel.CLONE_NEWNS | (0 if spec.network else kernel.CLONE_NEWNET))
    except PermissionError:
        return False
    return True


def _raise_loopback() -> None:
    descriptor = kernel.check(kernel.libc.socket(_AF_INET, _SOCK_DGRAM, 0), "cannot open a socket")
    request = fcntl.ioctl(descriptor, _SIOCGIFFLAGS, struct.pack("16sH22x", b"lo", 0))
    flags = struct.unpack("16sH22x", request)[1] | _IFF_UP
    fcntl.ioctl(descriptor, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags))
    os.close(descriptor)


def _open_terminal(control: int) -> int:
    """A pseudo-terminal of the container's own devpts: its slave; the master goes to the caller.

    One of the host's would make tty(1) in the container say "not a tty".
    """
    import socket

    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    number = struct.unpack("i", fcntl.ioctl(master, _TIOCGPTN, bytes(4)))[0]
    with socket.socket(fileno=os.dup(control)) as channel:
        socket.send_fds(channel, [TERMINAL], [master])
    os.close(master)
    return os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def run_command(spec: ContainerSpec, account: Account, terminal: int) -> NoReturn:
    """Turn this process into the command; exit as a shell does where that fails: 126 or 127."""
    os.setsid()
    if terminal >= 0:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2):
            os.dup2(terminal, descriptor)
    for number in (*FORWARDED, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    environment = {"PATH": DEFAULT_PATH, "HOME": account.home, **dict(spec.env)}
    try:
        become(account.uid, account.gid, account.groups)
        os.chdir(spec.cwd)
        _execute(spec.argv, environment)
    except OSError as error:
        _refuse(spec, error)


def _execute(argv: tuple[str, ...], environment: dict[str, str]) -> NoReturn:
    """execvpe(3). The os module's own would import a module now, and after enter_root there are none."""
    if "/" in argv[0]:
        os.execve(argv[0], argv, environment)  # noqa: S606 - a container runs its command without a shell
    denied: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    for folder in environment["PATH"].split(":"):
        try:
            os.execve(f"{folder or '.'}/{argv[0]}", argv, environment)  # noqa: S606 - likewise
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            denied = error
    raise denied


def _refuse(spec: ContainerSpec, error: OSError) -> NoReturn:
    missing = isinstance(error, FileNotFoundError)
    reason = "not found in the image" if missing else error.strerror
    where = error.filename if isinstance(error.filename, str) else spec.argv[0]
    os.write(2, os.fsencode(f"wslimg: {where}: {reason}\n"))
    os._exit(NOT_FOUND if missing else NOT_EXECUTABLE)


def _forward_signals(child: int) -> None:
    def forward(number: int, _frame: object) -> None:
        try:
            os.killpg(child, number)
        except ProcessLookupError:  # it has not called setsid yet
            os.kill(child, number)

    for number in FORWARDED:
        signal.signal(number, forward)


def _reap_until(child: int) -> int:
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
