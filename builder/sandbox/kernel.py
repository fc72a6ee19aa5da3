"""The system calls that Python's os module lacks, by their names in the manual pages. Each raises OSError."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 32, 4096, 16384, 1 << 18, 1 << 19
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """`result` of a C call, or OSError with errno and `what` was attempted."""
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2); empty strings stand for NULL."""
    words = [os.fsencode(word) or None for word in (source, target, kind)]
    result = libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(options) or None)
    check(result, f"cannot mount {kind or source} on {target}")


def unmount(target: str) -> None:
    """umount2(2) with MNT_DETACH: the mount disappears at once, its users keep it until they end."""
    check(libc.umount2(os.fsencode(target), MNT_DETACH), f"cannot unmount {target}")


def unshare(flags: int) -> None:
    """unshare(2)."""
    check(libc.unshare(flags), "cannot create namespaces")


def pivot_root() -> None:
    """Make the working directory the root; the old root stays mounted over it (pivot_root(2), NOTES)."""
    machine = os.uname().machine
    if machine not in _PIVOT_ROOT:
        raise OSError(f"the sandbox does not know the system calls of {machine}")
    check(libc.syscall(ctypes.c_long(_PIVOT_ROOT[machine]), b".", b"."), "cannot change the root")


def prctl(option: int, argument: int, second: int = 0) -> None:
    """prctl(2) with up to two numbers."""
    words = [ctypes.c_ulong(number) for number in (argument, second, 0, 0)]
    check(libc.prctl(option, *words), f"prctl {option}")


def set_hostname(name: str) -> None:
    """sethostname(2)."""
    raw = os.fsencode(name)
    check(libc.sethostname(raw, ctypes.c_size_t(len(raw))), f"cannot set the host name {name}")
