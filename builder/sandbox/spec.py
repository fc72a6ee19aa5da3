"""What to run on which root file system, as data."""

from __future__ import annotations

import marshal
from dataclasses import asdict, dataclass
from pathlib import Path

HOSTNAME = "wslimg"


@dataclass(frozen=True, kw_only=True, slots=True)
class Root:
    """The root file system: a plain `directory` that the command changes in place, or an overlay.

    An overlay shows the directories `lower` (the base first) and keeps what changes in `upper`; `work` is
    an empty directory on the file system of `upper`. All are paths on the host.
    """

    directory: str = ""
    lower: tuple[str, ...] = ()
    upper: str = ""
    work: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """Something shown at `target`, an absolute path in the image; it leaves nothing in the image.

    `kind` is "bind" (`source` on the host, a file or directory, read-only unless `writable`), "tmpfs"
    (an empty directory) or "file" (`data`; only below /run or a tmpfs). `owner` is a user of the image.
    """

    kind: str
    target: str
    source: str = ""
    data: bytes = b""
    mode: int = 0o755
    owner: str = "root"
    writable: bool = False


def bind(source: Path, target: str, *, writable: bool = False) -> Mount:
    """Show the file or directory `source` at `target`."""
    return Mount(kind="bind", target=target, source=str(source), writable=writable)


def tmpfs(target: str, *, mode: int = 0o755) -> Mount:
    """An empty directory that is gone afterwards."""
    return Mount(kind="tmpfs", target=target, mode=mode)


def file(target: str, data: bytes, *, mode: int = 0o644, owner: str = "root") -> Mount:
    """A file that is gone afterwards."""
    return Mount(kind="file", target=target, data=data, mode=mode, owner=owner)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerSpec:
    """One command in one container.

    `argv[0]` is looked up on PATH of `env`, which is all the environment there is but for HOME and PATH,
    whose defaults are the user's home directory and the usual six directories. `user` is NAME or UID,
    perhaps with `:GROUP`, of the image. With `network` the command shares the host's network; without,
    it has a loopback interface of its own and nothing else. `terminal` gives it a pseudo-terminal of the
    container as its standard streams. `boot` is for an init system: it becomes PID 1 itself, with a control
    group tree of its own and the capabilities that systemd needs.

    `isolation` "chroot" is for places that deny namespaces: a directory as root, processes and network those
    of the host, mounts only where the host allows a mount namespace.
    """

    root: Root
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    user: str = "root"
    network: bool = False
    mounts: tuple[Mount, ...] = ()
    hostname: str = HOSTNAME
    terminal: bool = False
    boot: bool = False
    isolation: str = "namespaces"


def encode_spec(spec: ContainerSpec) -> bytes:
    """`spec` for the launcher. With marshal, as both ends are the same interpreter: it carries bytes and
    odd names as they are, and importing json would cost a step 8 ms."""
    return marshal.dumps(asdict(spec))
