"""The system call filter: what Docker denies by default is denied, and flushing to disk costs nothing.

Docker's filter is a list of what is allowed (moby/profiles seccomp/default.json); the rows below are what
that list leaves out or allows only with capabilities that the sandbox never grants. Denied calls fail with
EPERM, or ENOSYS where the C library then falls back to an older call. fsync(2) and its kin succeed without
doing anything: a layer is published by rename after the step, and dpkg alone would flush thousands of times.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from builder.sandbox import kernel

# name: number on x86_64, aarch64 and i386; -1 where there is none (asm/unistd_64.h, asm-generic/unistd.h,
# asm/unistd_32.h of the kernel's headers)
DENIED = {
    "_sysctl": (156, -1, 149),
    "acct": (163, 89, 51),
    "add_key": (248, 217, 286),
    "bpf": (321, 280, 357),
    "clock_adjtime": (305, 266, 343),
    "clock_adjtime64": (-1, -1, 405),
    "clock_settime": (227, 112, 264),
    "clock_settime64": (-1, -1, 404),
    "create_module": (174, -1, 127),
    "delete_module": (176, 106, 129),
    "finit_module": (313, 273, 350),
    "fsconfig": (431, 431, 431),
    "fsmount": (432, 432, 432),
    "fsopen": (430, 430, 430),
    "fspick": (433, 433, 433),
    "get_kernel_syms": (177, -1, 130),
    "init_module": (175, 105, 128),
    "io_uring_enter": (426, 426, 426),
    "io_uring_register": (427, 427, 427),
    "io_uring_setup": (425, 425, 425),
    "ioperm": (173, -1, 101),
    "iopl": (172, -1, 110),
    "kcmp": (312, 272, 349),
    "kexec_file_load": (320, 294, -1),
    "kexec_load": (246, 104, 283),
    "keyctl": (250, 219, 288),
    "lookup_dcookie": (212, 18, 253),
    "mount": (165, 40, 21),
    "mount_setattr": (442, 442, 442),
    "move_mount": (429, 429, 429),
    "move_pages": (279, 239, 317),
    "nfsservctl": (180, 42, 169),
    "open_by_handle_at": (304, 265, 342),
    "open_tree": (428, 428, 428),
    "perf_event_open": (298, 241, 336),
    "pivot_root": (155, 41, 217),
    "query_module": (178, -1, 167),
    "quotactl": (179, 60, 131),
    "quotactl_fd": (443, 443, 443),
    "reboot": (169, 142, 88),
    "request_key": (249, 218, 287),
    "setns": (308, 268, 346),
    "settimeofday": (164, 170, 79),
    "stime": (-1, -1, 25),
    "swapoff": (168, 225, 115),
    "swapon": (167, 224, 87),
    "sysfs": (139, -1, 135),
    "umount": (-1, -1, 22),
    "umount2": (166, 39, 52),
    "unshare": (272, 97, 310),
    "uselib": (134, -1, 86),
    "userfaultfd": (323, 282, 374),
    "ustat": (136, -1, 62),
    "vhangup": (153, 58, 111),
    "vm86": (-1, -1, 166),
    "vm86old": (-1, -1, 113),
}

FLUSHES = {
    "fsync": (74, 82, 118),
    "fdatasync": (75, 83, 148),
    "sync": (162, 81, 36),
    "syncfs": (306, 267, 344),
    "msync": (26, 227, 144),
    "sync_file_range": (277, 84, 314),
}

CLONE = (56, 220, 120)
CLONE3 = (435, 435, 435)
# CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID and NET
NAMESPACE_FLAGS = 0x7E020000

# AUDIT_ARCH_* of linux/audit.h
_X86_64, _AARCH64, _I386 = 0xC000003E, 0xC00000B7, 0x40000003
# The architectures whose programs a kernel of this machine runs, with their column above.
ARCHITECTURES = {"x86_64": ((_X86_64, 0), (_I386, 2)), "aarch64": ((_AARCH64, 1),)}

_X32_BIT = 0x40000000
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_SECCOMP_MODE_FILTER = 2

Instruction = tuple[int, int, int, int]


def filter_program(machine: str) -> list[Instruction]:
    """The BPF program for kernels of `machine` (as `uname -m`): (code, jump if true, if false, operand)."""
    program: list[Instruction] = [(_LOAD, 0, 0, _ARCHITECTURE)]
    for architecture, column in ARCHITECTURES[machine]:
        section = _section(column)
        program += [(_JUMP_EQUAL, 1, 0, architecture), (0x05, 0, 0, len(section)), *section]
    return [*program, (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]


def _section(column: int) -> list[Instruction]:
    section: list[Instruction] = [(_LOAD, 0, 0, _NUMBER)]
    if column == 0:
        section += [(_JUMP_GREATER_EQUAL, 0, 1, _X32_BIT), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    section += _answer([CLONE3[column]], errno.ENOSYS)
    section += _answer([row[column] for row in FLUSHES.values()], 0)
    section += _answer([row[column] for row in DENIED.values()], errno.EPERM)
    section += [
        (_JUMP_EQUAL, 0, 3, CLONE[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_SET, 0, 1, NAMESPACE_FLAGS),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]
    return [*section, (_RETURN, 0, 0, _ALLOW)]


def _answer(numbers: list[int], error: int) -> list[Instruction]:
    program: list[Instruction] = []
    for number in numbers:
        if number >= 0:
            program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error)]
    return program


def install_filter() -> None:
    """Put this process and all it starts under the filter. Needs CAP_SYS_ADMIN, for sudo must keep working
    and no_new_privs would break it."""
    program = filter_program(os.uname().machine)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header))
