"""Finds out whether the sandbox works here by running a command in one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from builder.core.errors import UsageError, WslimgError
from builder.core.events import discard
from builder.execute.engine import Probe
from builder.sandbox.container import run_container
from builder.sandbox.spec import ContainerSpec, Root, bind
from builder.sandbox.userns import enter_user_namespace

# Where the programs of a host lie, with the libraries they need.
_HOST_FOLDERS = ("/usr", "/bin", "/lib", "/lib64", "/nix")
_DENIED_FIX = (
    "inside a container start that one with --privileged; where that cannot be, build as root with "
    "--isolation=chroot, which keeps steps less apart (docs/how-to/rootless.md)"
)


def probe_sandbox(folder: Path) -> Probe:
    """Whether an overlay, namespaces and mounts can be had on the file system of `folder`, which exists.

    As an ordinary user this is tried in a child process, as one cannot leave a user namespace. The process
    must have a single thread then.
    """
    if os.geteuid() == 0:
        return _try(lambda: _run_true(folder))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        probe = _try(lambda: _run_true_inside(folder))
        os.write(writer, f"{int(probe.ok)}\0{probe.reason}\0{probe.fix}".encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        ok, reason, fix = (answer.read().decode() or "0\0the probe died\0").split("\0")
    os.waitpid(child, 0)
    return Probe(ok=ok == "1", reason=reason, fix=fix)


def _try(act: Callable[[], object]) -> Probe:
    try:
        act()
    except UsageError as error:
        return Probe(ok=False, reason=error.message, fix=error.fix)
    except WslimgError as error:
        return Probe(ok=False, reason=error.message, fix=_DENIED_FIX)
    except OSError as error:
        return Probe(ok=False, reason=str(error), fix="choose another cache folder with WSLIMG_CACHE")
    return Probe(ok=True)


def _run_true_inside(folder: Path) -> None:
    enter_user_namespace()
    _run_true(folder)


def _run_true(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        names = ("lower", "upper", "work")
        lower, upper, work = (Path(scratch, name) for name in names)
        for path in (lower, upper, work):
            path.mkdir()
        spec = ContainerSpec(
            root=Root(lower=(str(lower),), upper=str(upper), work=str(work)),
            argv=("true",),
            mounts=tuple(bind(Path(path), path) for path in _HOST_FOLDERS if os.path.isdir(path)),
        )
        status = run_container(spec, discard)
        if status != 0:
            raise WslimgError(f"a command in the sandbox ended with status {status}")
