"""The configured base beside the one mmdebstrap makes, and what apt in it thinks of our solver."""

from __future__ import annotations

import fnmatch
import hashlib
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from builder.core.blobs import Blobs
from builder.core.digests import sha256_json
from builder.core.events import discard
from builder.execute.engine import Layer
from builder.execute.sandbox import SandboxEngine
from builder.model.entry import Entry, Kind
from builder.model.lock import ArchitectureLock
from builder.model.operation import Content, Exec, Input
from builder.sources.bootstrap import (
    Bootstrap,
    bootstrap_entries,
    bootstrap_inputs,
    bootstrap_operations,
    fetch_bootstrap,
    resolve_bootstrap,
)
from builder.sources.debian.apt_conf import host_sources
from builder.sources.debian.distributions import DEBIAN
from builder.sources.debian.mirrors import choose_addresses
from builder.sources.debian.signature import shipped_keyring
from builder.sources.source import StepRequest, Supply

pytestmark = [
    pytest.mark.system,
    pytest.mark.usefixtures("root"),
    pytest.mark.skipif(sys.platform != "linux", reason="mmdebstrap runs on Linux"),
]

WANTED = ("git", "curl", "sudo", "man-db", "systemd-sysv", "libpam-systemd", "dbus-user-session", "locales")

# Path patterns where the two differ on purpose, and why.
ONLY_MMDEBSTRAP = {
    "dev/*": "device nodes never ship: the container makes its own",
    "etc/apt/apt.conf.d/99mmdebstrap": "options of that very run",
    "etc/apt/sources.list": "ours is the deb822 file below sources.list.d",
    "etc/fstab": "a remark that nothing is configured",
    "etc/hostname": "copied from the host",
    "etc/resolv.conf": "copied from the host",
    "run/*": "a tmpfs while our scripts run",
    "var/cache/apt/archives/lock": "apt was run",
    "var/lib/apt/lists/lock": "apt was run",
    "var/cache/debconf/*-old": "backups",
    "var/lib/dpkg/*-old": "backups",
}
ONLY_OURS = {"etc/apt/sources.list.d/debian.sources": "see sources.list"}
OTHER_CONTENT = {
    "etc/shells": "the same lines; their order depends on when each shell was configured",
    "var/lib/apt/extended_states": "the same paragraphs; apt's order is that of a hash table",
}


class Node(NamedTuple):
    kind: Kind
    mode: int
    uid: int
    gid: int
    content: str


@dataclass(frozen=True, kw_only=True)
class Base:
    lock: ArchitectureLock
    engine: SandboxEngine
    layer: Layer
    blobs: Blobs

    def text(self, path: str) -> str:
        return (self.engine.read(self.layer, path) or b"").decode()

    def run(self, *argv: str, network: bool = False, inputs: tuple[Input, ...] = ()) -> str:
        """Run a command on a layer above the base; returns what it wrote to /output."""
        env = dict(bootstrap_operations(self.lock.source, "amd64")[0].env)  # type: ignore[union-attr] # an Exec
        script = " ".join(argv) + " > /output"
        step = Exec(argv=("sh", "-ec", script), env=tuple(env.items()), network=network, inputs=inputs)
        layer = self.engine.run(self.layer, sha256_json([self.layer.key, script]), step, discard)
        return (self.engine.read(layer, "/output") or b"").decode()


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("bootstrap")
    supply = Supply(blobs=Blobs(folder / "blobs"))
    source = Bootstrap(suite=request.param)
    lock = resolve_bootstrap(source, "amd64", (StepRequest(step=0, names=WANTED),), supply)
    fetch_bootstrap(source, lock, supply)
    engine = SandboxEngine(folder, supply.blobs)
    request.addfinalizer(engine.close)
    return Base(lock=lock, engine=engine, layer=build(engine, lock, supply.blobs), blobs=supply.blobs)


def build(engine: SandboxEngine, lock: ArchitectureLock, blobs: Blobs, salt: str = "") -> Layer:
    key = sha256_json([*bootstrap_inputs(lock.source, "amd64"), salt])
    layer = engine.base(key, lambda: bootstrap_entries(lock.source, "amd64", blobs))
    for operation in bootstrap_operations(lock.source, "amd64"):
        assert isinstance(operation, Exec)
        layer = engine.run(layer, sha256_json([layer.key, "configure"]), operation, discard)
    return layer


def nodes(engine: SandboxEngine, layer: Layer) -> dict[str, Node]:
    return {entry.path.decode(): _node(entry) for entry in engine.entries(layer)}


def _node(entry: Entry) -> Node:
    kind, content = entry.kind, entry.target.decode()
    if entry.open:
        with open(entry.open(), "rb") as file:
            content = hashlib.sha256(file.read(entry.size)).hexdigest()
    return Node(kind, entry.mode, entry.uid, entry.gid, content)


def mmdebstrap(suite: str, lock: ArchitectureLock, output: Path) -> dict[str, Node]:
    addresses = choose_addresses(DEBIAN, mirror="", snapshot="", environment={}, sources=host_sources())
    main, security = (each.urls[0] for each in addresses)
    sources = [f"deb {main} {suite} main", f"deb {main} {suite}-updates main"]
    sources.append(f"deb {security} {suite}-security main")
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--keyring={shipped_keyring('debian')}",
        suite,
        str(output),
    ]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SOURCE_DATE_EPOCH": str(lock.time)}
    subprocess.run([*command, *sources], check=True, capture_output=True, env=environment)
    with tarfile.open(output) as tar:
        found = {
            info.name.removeprefix("./"): _tar_node(tar, info) for info in tar if info.name not in (".", "./")
        }
    return {name.rstrip("/"): node for name, node in found.items()}


def _tar_node(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Node:
    kind = Kind(b"0" if info.type == tarfile.AREGTYPE else info.type)
    content = info.linkname.removeprefix("./")
    if info.isreg() and info.size:
        file = tar.extractfile(info)
        assert file
        content = hashlib.sha256(file.read()).hexdigest()
    return Node(kind, info.mode & 0o7777, info.uid, info.gid, content)


def unexplained(paths: set[str], explained: dict[str, str]) -> list[str]:
    return sorted(path for path in paths if not any(fnmatch.fnmatch(path, pattern) for pattern in explained))


def test_the_base_is_the_one_of_mmdebstrap(base: Base, tool: Callable[..., None], tmp_path: Path) -> None:
    tool("mmdebstrap")
    theirs = mmdebstrap(base.lock.source.suite, base.lock, tmp_path / "base.tar")
    ours = nodes(base.engine, base.layer)
    assert theirs["var/lib/dpkg/status"] == ours["var/lib/dpkg/status"]
    assert unexplained(theirs.keys() - ours.keys(), ONLY_MMDEBSTRAP) == []
    assert unexplained(ours.keys() - theirs.keys(), ONLY_OURS) == []
    shared = ours.keys() & theirs.keys()
    other = {path for path in shared if plain(ours[path], theirs) != plain(theirs[path], theirs)}
    assert unexplained(other, OTHER_CONTENT) == []
    with tarfile.open(tmp_path / "base.tar") as tar:
        for path, split in (("etc/shells", "\n"), ("var/lib/apt/extended_states", "\n\n")):
            file = tar.extractfile(f"./{path}")
            assert file
            assert sorted(file.read().decode().split(split)) == sorted(base.text(f"/{path}").split(split))


def plain(node: Node, links: dict[str, Node]) -> Node:
    """A hard link as the file it is: which of its names counts as the file is not a difference."""
    return links[node.content]._replace(mode=node.mode) if node.kind is Kind.HARDLINK else node


def test_building_twice_gives_the_same_tree(base: Base) -> None:
    again = build(base.engine, base.lock, base.blobs, salt="again")
    first, second = nodes(base.engine, base.layer), nodes(base.engine, again)
    assert sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path)) == []


def test_apt_in_the_image_is_content(base: Base) -> None:
    assert base.run("dpkg --audit") == ""
    assert base.run("dpkg-query -f '${db:Status-Abbrev}\\n' -W | sort -u").split() == ["ii"]
    assert base.run("apt-get check -q")


def test_apt_installs_a_steps_packages_without_network_and_needs_nothing_else(base: Base) -> None:
    packages = base.lock.steps[0].packages
    inputs = tuple(
        Input(
            name=f"{package.name}_{package.architecture}.deb",
            content=Content(digest=package.sha256, size=package.size, path=base.blobs.path(package.sha256)),
        )
        for package in packages
    )
    install = "apt-get install -q -y --no-install-recommends /run/wslimg/inputs/*.deb >&2;"
    there = base.run(install, "dpkg-query -f '${Package}=${Version}\\n' -W", inputs=inputs).split()
    locked = [*base.lock.source.packages, *packages]
    assert sorted(there) == sorted(f"{package.name}={package.version}" for package in locked)


def test_apt_solves_to_the_same_packages(base: Base) -> None:
    simulate = f"apt-get install -q -y -s --no-install-recommends {' '.join(WANTED)}"
    printed = base.run("apt-get update -q -o APT::Update::Error-Mode=any >&2;", simulate, network=True)
    apts = sorted(line.split()[1] for line in printed.splitlines() if line.startswith("Inst "))
    assert apts == [package.name for package in base.lock.steps[0].packages]
