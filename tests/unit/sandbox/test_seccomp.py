"""Runs the filter in an interpreter of its own: kernels of other architectures are not at hand."""

from __future__ import annotations

import errno

import pytest

from builder.sandbox.seccomp import filter_program

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
ALLOW = 0x7FFF0000


def answer(machine, architecture, number, argument=0):
    data = {0: number, 4: architecture, 16: argument}
    program, counter, register = filter_program(machine), 0, 0
    while True:
        code, if_true, if_false, operand = program[counter]
        counter += 1
        if code == 0x20:
            register = data[operand]
        elif code == 0x06:
            return operand
        elif code == 0x05:
            counter += operand
        else:
            holds = {0x15: register == operand, 0x35: register >= operand, 0x45: bool(register & operand)}[
                code
            ]
            counter += if_true if holds else if_false


def error(number):
    return 0x00050000 | number


@pytest.mark.parametrize(
    ("machine", "architecture", "number", "argument", "expected"),
    [
        ("x86_64", X86_64, 0, 0, ALLOW),  # read
        ("x86_64", X86_64, 74, 0, error(0)),  # fsync
        ("x86_64", X86_64, 165, 0, error(errno.EPERM)),  # mount
        ("x86_64", X86_64, 435, 0, error(errno.ENOSYS)),  # clone3
        ("x86_64", X86_64, 56, 0x11, ALLOW),  # clone for fork
        ("x86_64", X86_64, 56, 0x10000011, error(errno.EPERM)),  # clone with CLONE_NEWUSER
        ("x86_64", X86_64, 0x40000000, 0, error(errno.ENOSYS)),  # x32
        ("x86_64", I386, 21, 0, error(errno.EPERM)),  # mount
        ("x86_64", I386, 165, 0, ALLOW),  # getresuid there, mount on x86_64
        ("x86_64", I386, 120, 0x10000000, error(errno.EPERM)),  # clone with CLONE_NEWUSER
        ("x86_64", AARCH64, 0, 0, error(errno.ENOSYS)),
        ("aarch64", AARCH64, 40, 0, error(errno.EPERM)),  # mount
        ("aarch64", AARCH64, 82, 0, error(0)),  # fsync
        ("aarch64", AARCH64, 220, 0x20000, error(errno.EPERM)),  # clone with CLONE_NEWNS
        ("aarch64", AARCH64, 63, 0, ALLOW),  # read
    ],
)
def test_each_call_gets_the_answer_of_its_architecture(machine, architecture, number, argument, expected):
    assert answer(machine, architecture, number, argument) == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_program_is_one_that_the_kernel_takes(machine):
    program = filter_program(machine)
    assert len(program) <= 4096
    assert all(0 <= jump <= 255 for line in program for jump in line[1:3])
