"""Rows of engines that the suite runs on, and what its tests share.

Root runs the rows of root; an ordinary user runs `sandbox-rootless`, which enters a user namespace for the
rest of the session. `test_rootless.py` starts that session from root's. The rows of WAYS are one engine that
is reached in different ways, and run only what is marked `connection`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.core.blobs import Blobs
from builder.core.digests import sha256_bytes
from builder.core.events import Event, Output
from builder.execute.choose import open_engine
from builder.execute.engine import Engine, Layer
from builder.model.entry import Entry, Kind
from builder.model.operation import Exec
from tests.conformance.dockerd import running_dockerd, running_podman, running_rootless_podman
from tests.conformance.ways import SSHD, over_context, over_ssh, over_tls
from tests.conftest import require

BUSYBOX = Path("/usr/bin/busybox")
PATH_ENV = (("PATH", "/bin"),)
LONG_NAME = b"n" * 255
RAW_NAME = b"caf\xe9"  # not UTF-8


def _open_sandbox(cache: Path) -> Engine:
    return open_engine("sandbox", cache, Blobs(cache / "blobs"))


def _open_chroot(cache: Path) -> Engine:
    return open_engine("sandbox", cache, Blobs(cache / "blobs"), isolation="chroot")


def _open_none(cache: Path) -> Engine:
    return open_engine("none", cache, Blobs(cache / "blobs"))


def _open_docker(cache: Path) -> Engine:
    return open_engine("docker", cache, Blobs(cache / "blobs"))


_DOCKER = ("dockerd", "runc", "ip", "unshare")
_PODMAN = ("podman", "runc", "ip", "unshare")
# Engines that are started for their row, and ways to reach one, with the programs that they need.
DAEMONS = {
    "docker": (running_dockerd, _DOCKER),
    "podman": (running_podman, _PODMAN),
    "podman-rootless": (running_rootless_podman, (*_PODMAN, "newuidmap", "setpriv", "useradd")),
}
WAYS = {
    "docker-context": (over_context, (*_DOCKER, "docker", "openssl")),
    "docker-ssh": (over_ssh, (*_DOCKER, "ssh", "ssh-keygen", SSHD)),
    "docker-tls": (over_tls, (*_DOCKER, "openssl")),
}
ROWS: dict[str, Callable[[Path], Engine]] = (
    {"chroot": _open_chroot, "sandbox-root": _open_sandbox, **dict.fromkeys((*DAEMONS, *WAYS), _open_docker)}
    if os.geteuid() == 0
    else {"sandbox-rootless": _open_sandbox}
)


@dataclass(kw_only=True)
class Result:
    """What one command did."""

    layer: Layer
    stdout: bytes
    stderr: bytes


@dataclass(kw_only=True)
class Bench:
    """One engine with a tiny tree: BusyBox, two accounts and names of all kinds."""

    engine: Engine
    cache: Path
    base: Layer
    rootless: bool
    row: str = ""
    count: int = field(default=0)

    @property
    def additions(self) -> frozenset[str]:
        """The variables that the engine sets by itself."""
        return frozenset({"HOSTNAME", "TERM", "container"} if self.has_daemon else ())

    @property
    def has_daemon(self) -> bool:
        """Whether containers are somebody else's, who has a network of his own that leads nowhere."""
        return self.row in DAEMONS or self.row in WAYS

    def key(self, name: str = "") -> str:
        """A key that nothing else has, unless it is named."""
        self.count += 1
        return sha256_bytes((name or f"unique {self.count}").encode())

    def run(self, *argv: str, on: Layer | None = None, key: str = "", **fields: object) -> Result:
        """Run a command, and fail the test as the engine fails."""
        stdout, stderr = bytearray(), bytearray()

        def sink(event: Event) -> None:
            assert isinstance(event, Output)
            (stdout if event.stream == "stdout" else stderr).extend(event.data)

        exec_ = Exec(argv=argv, **{"env": PATH_ENV, **fields})
        layer = self.engine.run(on or self.base, key or self.key(), exec_, sink)
        return Result(layer=layer, stdout=bytes(stdout), stderr=bytes(stderr))

    def sh(self, script: str, **fields: object) -> Result:
        """Run a shell script."""
        return self.run("sh", "-ec", script, **fields)

    def tree(self, layer: Layer) -> dict[bytes, Entry]:
        """The entries of a layer by path."""
        return {entry.path: entry for entry in self.engine.entries(layer)}


def content(entry: Entry) -> bytes:
    """Read through the opener."""
    if entry.open is None:
        return b""
    with open(entry.open(), "rb") as file:
        return file.read(entry.size)


def _file(path: bytes, data: bytes, mode: int = 0o644, **fields: object) -> Entry:
    def opener() -> int:
        descriptor = os.memfd_create("content")
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    return Entry(path, Kind.FILE, mode, size=len(data), open=opener, mtime=1_000_000_000, **fields)


def _folder(path: bytes, mode: int = 0o755, **fields: object) -> Entry:
    return Entry(path, Kind.DIRECTORY, mode, mtime=1_000_000_000, **fields)


def base_entries() -> Iterable[Entry]:
    """The tiny tree, about 1 MB."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, check=True).stdout.split()
    yield _folder(b"bin")
    yield _file(b"bin/busybox", BUSYBOX.read_bytes(), 0o755)
    for name in sorted(set(applets) - {b"busybox"}):
        yield Entry(b"bin/" + name, Kind.SYMLINK, 0o777, target=b"busybox")
    yield _folder(b"etc")
    yield _file(b"etc/passwd", b"root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n")
    yield _file(b"etc/group", b"root:x:0:\nalice:x:1000:\nstaff:x:50:alice\n")
    yield _folder(b"home")
    yield _folder(b"home/alice", 0o700, uid=1000, gid=1000)
    yield _folder(b"names")
    yield _file(b"names/new\nline", b"1")
    yield _file(b"names/" + RAW_NAME, b"2")
    yield _file(b"names/" + LONG_NAME, b"3")
    yield _file(b"names/first", b"linked")
    yield Entry(b"names/second", Kind.HARDLINK, 0o644, target=b"names/first")
    yield _folder(b"odd")
    yield _file(b"odd/setuid", b"x", 0o4755, uid=1000, gid=50)
    yield _file(b"odd/capable", b"x", 0o755, xattrs=((b"security.capability", CAPABILITY),))
    yield _file(b"odd/noted", b"x", xattrs=((b"user.note", b"\x00\xff"),))
    yield _file(b"odd/big", b"x", uid=65000, gid=65001)
    yield Entry(b"odd/fifo", Kind.FIFO, 0o640)
    yield _folder(b"real")
    yield _folder(b"real/sub", 0o750, gid=50)
    yield _file(b"real/sub/file", b"below")
    yield Entry(b"link", Kind.SYMLINK, 0o777, target=b"/real")


# VFS_CAP_REVISION_2 with the effective bit: cap_net_raw=ep (capabilities(7))
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on every row; those of trees also without an engine, the sandbox's only on it."""
    if "bench" in metafunc.fixturenames:
        rows = [*sorted(ROWS), *(["none"] if metafunc.module.__name__.endswith("test_tree") else [])]
        if not any(metafunc.definition.iter_markers("connection")):
            rows = [row for row in rows if row not in WAYS]
        if metafunc.module.__name__.endswith("test_sandbox"):
            rows = [row for row in rows if ROWS[row] is not _open_docker]
        metafunc.parametrize("bench", rows, indirect=True, scope="session")


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The engine of the row."""
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    if request.param == "sandbox-rootless":
        require(_has_subordinate_ids(), "this user has no subordinate ids")
    cache = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        stack.enter_context(_daemon(request.param))
        engine = (ROWS | {"none": _open_none})[request.param](cache)
        stack.callback(engine.close)
        base = engine.base(sha256_bytes(b"base"), base_entries)
        rootless = request.param.endswith("rootless")
        yield Bench(engine=engine, cache=cache, base=base, rootless=rootless, row=request.param)


@contextmanager
def _daemon(row: str) -> Iterator[None]:
    """Have the environment name the engine of `row`, if it has one."""
    if row not in DAEMONS and row not in WAYS:
        yield
        return
    running, programs = DAEMONS.get(row) or WAYS[row]
    missing = [name for name in programs if shutil.which(name) is None]
    require(not missing, f"not installed: {', '.join(missing)} (tests/install-tools installs them)")
    with running() as found, pytest.MonkeyPatch.context() as patch:
        patch.delenv("DOCKER_HOST", raising=False)
        for name, value in ({"DOCKER_HOST": found} if isinstance(found, str) else found).items():
            patch.setenv(name, value)
        yield


def _has_subordinate_ids() -> bool:
    ranges = Path("/etc/subuid")
    return shutil.which("newuidmap") is not None and ranges.exists() and bool(ranges.read_text().strip())


@pytest.fixture
def read() -> Callable[[Entry], bytes]:
    """A function that reads an entry through its opener."""
    return content
