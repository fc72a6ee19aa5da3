"""`wslimg doctor`: finds out by doing what works here, and says how to mend the rest."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryFile

from builder.core.errors import WslimgError
from builder.execute.choose import ENGINES
from builder.execute.store import DEFAULT_LIMIT
from builder.pipeline.prepare import host_architecture
from builder.pipeline.storage import measure_cache
from builder.sandbox.userns import find_range

# A build of the shipped recipes takes about as much: layers, packages, the image twice.
_ROOM = 4 * 10**9
_WINDOWS_FILE_SYSTEMS = ("9p", "drvfs", "v9fs", "virtiofs")


class Health(Enum):
    """OK; WARNING works with a loss; BROKEN does not work."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True, slots=True)
class Probed:
    """One thing that was tried; `fix` is empty where nothing has to be done."""

    name: str
    health: Health
    detail: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain data for JSON."""
        return {**asdict(self), "health": self.health.value}


def examine(cache: Path, folder: Path) -> list[Probed]:
    """Try everything that a build in `folder`, with its cache in `cache`, needs."""
    written = _probe_writing("cache folder", cache, "set WSLIMG_CACHE to a folder of yours")
    return [
        _probe_python(),
        _probe_machine(),
        _probe_surroundings(),
        _probe_folder(folder),
        _probe_writing("output folder", folder, "go to a folder of yours, or give --out"),
        written,
        *_probe_ids(),
        _probe_tool("git", "overlays take the x bits of scripts from the file system instead of git's index"),
        _probe_tool("bsdtar", "`wslimg try` imports with a model of it", package="libarchive-tools"),
        _probe_space("output", folder),
        *(_probe_with_cache(cache) if written.health is Health.OK else ()),
    ]


def _probe_with_cache(cache: Path) -> Iterator[Probed]:
    yield _probe_space("cache", cache)
    yield from _probe_engines(cache)
    yield _probe_cache(cache)


def _probe_writing(name: str, folder: Path, fix: str) -> Probed:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return Probed(name=name, health=Health.OK, detail=f"{folder} can be written")
    except OSError as error:
        detail = f"{folder} cannot be written: {error.strerror}"
        return Probed(name=name, health=Health.BROKEN, detail=detail, fix=fix)


def usable(probes: list[Probed]) -> bool:
    """Whether nothing is broken."""
    return not any(probe.health is Health.BROKEN for probe in probes)


def _probe_python() -> Probed:
    version = sys.version.split()[0]
    return Probed(name="python", health=Health.OK, detail=f"{version} at {sys.executable}")


def _probe_machine() -> Probed:
    try:
        return Probed(name="machine", health=Health.OK, detail=host_architecture())
    except WslimgError as error:
        return Probed(
            name="machine", health=Health.BROKEN, detail=error.message, fix="build on amd64 or arm64"
        )


def _probe_surroundings() -> Probed:
    """Containers and WSL are not faults; they explain the ones that follow."""
    found = [name for name, inside in _SURROUNDINGS if inside()]
    detail = f"inside {' and '.join(found)}" if found else "no container, no WSL"
    return Probed(name="surroundings", health=Health.OK, detail=detail)


def _inside_container() -> bool:
    marks = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
    return any(os.path.exists(mark) for mark in marks) or "KUBERNETES_SERVICE_HOST" in os.environ


def _inside_wsl() -> bool:
    return "microsoft" in os.uname().release.lower()


_SURROUNDINGS: tuple[tuple[str, Callable[[], bool]], ...] = (
    ("a container", _inside_container),
    ("WSL", _inside_wsl),
)


def _probe_folder(folder: Path) -> Probed:
    kind = _file_system(folder)
    if kind in _WINDOWS_FILE_SYSTEMS:
        fix = "clone below your home folder in the distribution, not below /mnt/c"
        return Probed(
            name="folder", health=Health.WARNING, detail=f"{folder} is on a Windows drive: slow", fix=fix
        )
    return Probed(name="folder", health=Health.OK, detail=f"{folder} on {kind}")


def _file_system(folder: Path) -> str:
    """The type of the mount that holds `folder`, as /proc/self/mounts has it (proc(5))."""
    best, kind = "", "unknown"
    for line in os.fsdecode(Path("/proc/self/mounts").read_bytes()).splitlines():
        _, escaped, name, *_ = line.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped)
        if len(point) >= len(best) and folder.absolute().is_relative_to(point):
            best, kind = point, name
    return kind


def _probe_ids() -> Iterator[Probed]:
    if os.geteuid() == 0:
        yield Probed(name="user", health=Health.OK, detail="root")
        return
    yield Probed(name="user", health=Health.OK, detail=f"uid {os.geteuid()}")
    yield _probe_tool("newuidmap", "the sandbox needs root", package="uidmap", health=Health.BROKEN)
    for name in ("subuid", "subgid"):
        yield _probe_range(name)


def _probe_range(name: str) -> Probed:
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())  # a container may run under a number that has no name
    try:
        found = find_range(Path("/etc") / name, user, os.geteuid())
    except WslimgError as error:
        return Probed(name=name, health=Health.BROKEN, detail=error.message, fix=error.fix)
    return Probed(name=name, health=Health.OK, detail=f"{found.length} ids from {found.first}")


def _probe_tool(name: str, loss: str, *, package: str = "", health: Health = Health.WARNING) -> Probed:
    if place := shutil.which(name):
        return Probed(name=name, health=Health.OK, detail=place)
    return Probed(
        name=name, health=health, detail=f"not installed: {loss}", fix=f"apt install {package or name}"
    )


def _probe_space(name: str, folder: Path) -> Probed:
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free in {folder}"
    if free < _ROOM:
        fix = "free some space: `wslimg cache prune`, or move the cache with WSLIMG_CACHE"
        return Probed(name=f"{name} space", health=Health.WARNING, detail=detail, fix=fix)
    return Probed(name=f"{name} space", health=Health.OK, detail=detail)


def _probe_engines(cache: Path) -> Iterator[Probed]:
    """One that works is enough."""
    probes = {row: row.probe(cache) for row in ENGINES}
    failing = Health.WARNING if any(probe.ok for probe in probes.values()) else Health.BROKEN
    for row, probe in probes.items():
        if probe.ok:
            yield Probed(name=f"engine {row.name}", health=Health.OK, detail=row.proof)
        else:
            yield Probed(name=f"engine {row.name}", health=failing, detail=probe.reason, fix=probe.fix)


def _probe_cache(cache: Path) -> Probed:
    """Last, as it enters the user namespace in which layers can be read."""
    try:
        size = sum(part.size for part in measure_cache(cache))
    except WslimgError as error:
        return Probed(name="cache", health=Health.BROKEN, detail=error.message, fix=error.fix)
    detail = f"{size / 1e9:.1f} GB, layers are kept to {DEFAULT_LIMIT / 1e9:.0f} GB"
    return Probed(name="cache", health=Health.OK, detail=detail)
