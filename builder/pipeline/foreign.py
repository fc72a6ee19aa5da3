"""Images for another architecture: their commands need an emulator that the kernel calls."""

from __future__ import annotations

import platform
from pathlib import Path

from builder.core.errors import ExecuteError
from builder.model.operation import Exec
from builder.model.plan import Plan, PlannedOperation

_HANDLERS = Path("/proc/sys/fs/binfmt_misc")
# Architecture -> what uname(2) calls it, and e_machine of elf.h.
_MACHINES = {"amd64": ("x86_64", 0x3E), "arm64": ("aarch64", 0xB7)}


def require_emulator(
    plan: Plan, remaining: tuple[PlannedOperation, ...], *, handlers: Path = _HANDLERS
) -> None:
    """Raise ExecuteError naming the first command of `remaining` that this machine cannot run: one of
    another architecture, which no emulator among `handlers` is registered for."""
    command = next((each for each in remaining if isinstance(each.operation, Exec)), None)
    if command is None or is_native(plan.architecture) or emulates(plan.architecture, handlers):
        return
    raise ExecuteError(
        f"{command.title}: is a command for {plan.architecture}, which nothing on this machine can run",
        where=command.place,
        fix=f"build on {plan.architecture}, or have it emulated: apt install qemu-user-static",
    )


def is_native(architecture: str) -> bool:
    """Whether this machine runs programs of `architecture` itself."""
    return platform.machine() == _MACHINES[architecture][0]


def emulates(architecture: str, handlers: Path = _HANDLERS) -> bool:
    """Whether the kernel hands programs of `architecture` to an emulator, in containers too: its flag F
    (kernel, Documentation/admin-guide/binfmt-misc.rst)."""
    try:
        rows = [_read_handler(path) for path in sorted(handlers.iterdir()) if path.name != "register"]
    except OSError:
        return False
    program = _elf_header(_MACHINES[architecture][1])
    return any("F" in row.get("flags:", "") and _takes(row, program) for row in rows)


def _read_handler(path: Path) -> dict[str, str]:
    """The lines of a handler, `key value` each; none of one that is switched off, which says so first."""
    lines = path.read_text(encoding="ascii").splitlines()
    if lines[:1] != ["enabled"]:
        return {}
    return dict(line.split(" ", 1) for line in lines[1:] if " " in line)


def _takes(row: dict[str, str], program: bytes) -> bool:
    if "magic" not in row:
        return False
    begin, magic = int(row.get("offset", "0")), bytes.fromhex(row["magic"])
    mask = bytes.fromhex(row.get("mask", "ff" * len(magic)))
    seen = program[begin : begin + len(magic)]
    return len(seen) == len(magic) and all(a & m == b & m for a, b, m in zip(seen, magic, mask, strict=True))


def _elf_header(machine: int) -> bytes:
    """The first 20 bytes of a dynamically linked program: 64 bits, little-endian."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little") + machine.to_bytes(2, "little")
