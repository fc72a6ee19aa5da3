"""The process between the caller and a container: `python -I -S launcher.py SPEC CONTROL PARENT`.

SPEC is a descriptor to read the encoded ContainerSpec from, CONTROL a socket to the caller, PARENT its pid.
Its exit status is the command's. Messages on CONTROL: "started", "terminal" with a descriptor, or a
sentence that says why the container could not be made. Whatever the caller writes there, and its end, kill
the container; so does the end of this process. The kernel clears all up: PID 1 is gone only after every
process of its namespace, and the mounts go with the last of them.
"""

from __future__ import annotations

import marshal
import os
import select
import sys
from types import SimpleNamespace

# Python's -I and -S leave out the place of the package.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from builder.sandbox import kernel
from builder.sandbox.boot import ControlGroup, enter_mapped_namespace
from builder.sandbox.init import FORWARDED, SETUP_FAILED, run_init

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn

    from builder.sandbox.spec import ContainerSpec
else:
    import _signal as signal  # the same without its enumerations, whose import takes 3 ms


def main() -> NoReturn:
    """Start the container and wait for its end."""
    source, control, parent = (int(word) for word in sys.argv[1:])
    os.set_inheritable(control, False)
    _die_with_parent(parent)
    spec = _read_spec(source)
    try:
        group = ControlGroup() if spec.boot else None
        _enter_namespaces(spec)
    except OSError as error:
        os.write(control, os.fsencode(error.strerror or str(error)))
        sys.exit(SETUP_FAILED)
    code = _supervise(_fork_init(spec, control, group), control)
    if spec.isolation == "chroot":
        _end_children()
    if group:
        group.remove()
    sys.exit(code)


def _die_with_parent(parent: int) -> None:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(SETUP_FAILED)


def _read_spec(source: int) -> ContainerSpec:
    """The spec as namespaces with the same fields: dataclasses take 15 ms to import."""
    with open(source, "rb") as file:
        spec: ContainerSpec = _namespace(marshal.load(file))  # noqa: S302 - written by our own parent
    return spec


def _namespace(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{name: _namespace(part) for name, part in value.items()})
    if isinstance(value, tuple):
        return tuple(_namespace(part) for part in value)
    return value


def _enter_namespaces(spec: ContainerSpec) -> None:
    if spec.isolation == "chroot":
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        return
    if spec.boot:
        enter_mapped_namespace()
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    kernel.unshare(flags | (0 if spec.network else kernel.CLONE_NEWNET))


def _fork_init(spec: ContainerSpec, control: int, group: ControlGroup | None) -> int:
    """Fork PID 1, which dies with this process even if that happens before it could ask for it."""
    watch, alive = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(alive)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if select.select([watch], [], [], 0)[0]:
            os._exit(SETUP_FAILED)
        os.close(watch)
        run_init(spec, control, group)
    os.close(watch)
    return pid


def _supervise(pid: int, control: int) -> int:
    """Wait for PID 1; kill it when the caller says so or is gone. Returns its exit status."""
    for number in FORWARDED:
        signal.signal(number, lambda number, _frame: os.kill(pid, number))
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(os.pidfd_open(pid), select.POLLIN)
    if control in (descriptor for descriptor, _ in poll.poll()):
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def _end_children() -> None:
    """Kill what the command left behind, which has become ours, as the end of a PID namespace would."""
    path = f"/proc/self/task/{os.getpid()}/children"
    while True:
        with open(path, encoding="ascii") as file:
            children = file.read().split()
        if not children:
            return
        for child in children:
            os.kill(int(child), signal.SIGKILL)
            os.waitpid(int(child), 0)


if __name__ == "__main__":
    main()
