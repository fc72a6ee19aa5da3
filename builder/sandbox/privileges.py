"""What a command in the sandbox may do: the capabilities of a Docker container, no more."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from builder.sandbox import kernel

# The default set of moby/moby oci/caps/defaults.go, by number (capabilities(7)).
DOCKER_CAPABILITIES = frozenset(
    {
        0,  # CHOWN
        1,  # DAC_OVERRIDE
        3,  # FOWNER
        4,  # FSETID
        5,  # KILL
        6,  # SETGID
        7,  # SETUID
        8,  # SETPCAP
        10,  # NET_BIND_SERVICE
        13,  # NET_RAW
        18,  # SYS_CHROOT
        27,  # MKNOD
        29,  # AUDIT_WRITE
        31,  # SETFCAP
    }
)

_CAPABILITY_VERSION_3 = 0x20080522


def limit_capabilities(allowed: frozenset[int]) -> None:
    """Take everything but `allowed` out of the bounding, permitted and effective sets; empty the others."""
    for number in range(64):
        if number not in allowed and not _drop_from_bounding_set(number):
            break
    kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL)
    mask = sum(1 << number for number in allowed) & permitted_capabilities()
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    kernel.check(
        kernel.libc.capset(header, struct.pack("=6I", low, low, 0, high, high, 0)), "cannot drop capabilities"
    )


def _drop_from_bounding_set(number: int) -> bool:
    try:
        kernel.prctl(kernel.PR_CAPBSET_DROP, number)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False  # the kernel has no capability of this number, nor a higher one
    return True


def permitted_capabilities() -> int:
    """The permitted set: where a host withholds a capability, asking for it would fail."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    sets = ctypes.create_string_buffer(24)
    kernel.check(kernel.libc.capget(header, sets), "cannot read capabilities")
    _, low, _, _, high, _ = struct.unpack("=6I", sets.raw)
    return int(low | high << 32)


def become(uid: int, gid: int, groups: tuple[int, ...]) -> None:
    """Turn into the user for good. Pipes of the caller become the user's, so that /dev/stdout opens."""
    if uid != 0:
        null = os.stat("/dev/null").st_rdev
        for descriptor in (0, 1, 2):
            if os.fstat(descriptor).st_rdev != null:
                _give(descriptor, uid)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _give(descriptor: int, uid: int) -> None:
    try:
        os.fchown(descriptor, uid, -1)
    except OSError as error:
        # A stream from outside this user namespace, or on a read-only file system, stays as it is.
        if error.errno not in (errno.EPERM, errno.EINVAL, errno.EROFS):
            raise
