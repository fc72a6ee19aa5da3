"""An ordinary user's process becomes uid 0 of a user namespace of its own, for the rest of its life.

The whole process, so that unpacking, running, walking, packing and deleting all see the image's own uids
and the same code serves root and users (docs/decisions/0002-one-user-namespace.md).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from builder.core.errors import UsageError
from builder.sandbox import kernel

_NEEDED = 65536


class Range(NamedTuple):
    """`length` subordinate ids from `first` on."""

    first: int
    length: int


def enter_user_namespace() -> None:
    """Map this process to uid 0 of a new user namespace, and the subordinate ids to 1 and up.

    Must be called while the process has one thread. Does nothing as root. Raises UsageError with the fix
    where the host is not set up for it.
    """
    if os.geteuid() == 0:
        return
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads run, but only a single one can enter a user namespace"
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())  # a container may run under a number that has no name
    uids, gids = (find_range(Path(f"/etc/{name}"), user, os.getuid()) for name in ("subuid", "subgid"))
    _require_tools()
    _unshare_and_map(uids, gids)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.setgroups([])
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # lost with the change of uid, and with it access to /proc/self


def find_range(path: Path, user: str, uid: int) -> Range:
    """The first range of at least 65536 ids that `path` (subuid(5)) grants the user. Raises UsageError."""
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines:
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in (user, str(uid)) and first.isdecimal() and count.isdecimal() and int(count) >= _NEEDED:
            return Range(int(first), int(count))
    name = path.name
    raise UsageError(
        f"{user} has no range of {_NEEDED} ids in it, which building without root needs",
        where=str(path),
        fix=f"sudo usermod --add-{name}s 100000-165535 {user} (a range nobody else has), or build as root",
    )


def _require_tools() -> None:
    for name in ("newuidmap", "newgidmap"):
        if shutil.which(name) is None:
            raise UsageError(
                f"{name} is not installed, which building without root needs",
                fix="sudo apt install uidmap, or build as root",
            )


def _unshare_and_map(uids: Range, gids: Range) -> None:
    """A child that stays outside writes the maps: only from there may the set-uid tools act on us."""
    outside, inside = os.pipe()
    process, user, group = os.getpid(), os.getuid(), os.getgid()
    child = os.fork()
    if child == 0:
        os.close(inside)
        entered = os.read(outside, 1)
        done = entered and _map("newuidmap", process, user, uids) and _map("newgidmap", process, group, gids)
        os._exit(0 if done else 1)
    os.close(outside)
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
        os.write(inside, b".")
    except OSError as error:
        raise _refused(str(error.strerror)) from error
    finally:
        os.close(inside)
        status = os.waitpid(child, 0)[1]
    if status != 0:
        raise _refused("newuidmap or newgidmap refused the ids that /etc/subuid and /etc/subgid name")


def _map(tool: str, process: int, own: int, ids: Range) -> bool:
    words = [str(number) for number in (process, 0, own, 1, 1, ids.first, min(ids.length, _NEEDED - 1))]
    return subprocess.run([tool, *words], check=False).returncode == 0


def _refused(reason: str) -> UsageError:
    return UsageError(
        f"this host does not let ordinary users have a user namespace: {reason}",
        fix="build as root, or allow it (sysctl kernel.unprivileged_userns_clone=1 or "
        "kernel.apparmor_restrict_unprivileged_userns=0), or use --engine docker",
    )
