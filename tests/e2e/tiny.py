"""A distribution that is built in two seconds, served on loopback: a shell, BusyBox, a dpkg in name only."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.conftest import ROOT, WSLIMG
from tests.e2e.debian_archive import FACTS, DebianArchive, FakePackage, serve_archive

BUSYBOX = Path("/usr/bin/busybox")
SHELL = Path("/usr/bin/dash")
_APPLETS = ("cat", "chmod", "chown", "cp", "head", "mkdir", "rm", "seq", "sleep", "touch", "true")
_RECIPE = """\
schema: 1
name: {name}
version: "1"
source: {{bootstrap: {{suite: trixie, mirror: "{mirror}", signed_by: key.asc}}}}
steps:
{steps}
first_run: {{mode: none}}
wsl: {{systemd: false}}
"""
STEPS = ("seq 1 2000000 > /opt/numbers", "echo started; sleep 0.5; echo done > /opt/done")


def tiny_packages() -> list[FakePackage]:
    """What a step needs to run a shell, and 2 MB to download."""
    applets = {
        f"usr/bin/{name}": (0o755, f'#!/bin/sh\nexec /bin/busybox {name} "$@"\n'.encode())
        for name in _APPLETS
    }
    # Not BusyBox's own shell, which would prefer its own dpkg.
    shell = {"bin/sh": (0o755, SHELL.read_bytes()), "bin/busybox": (0o755, BUSYBOX.read_bytes())}
    shell |= {str(path)[1:]: (0o755, path.read_bytes()) for path in _libraries(SHELL)}
    passwd = b"root:x:0:0:root:/root:/bin/sh\n"
    system = {
        "usr/lib/os-release": (0o644, FACTS),
        "etc/os-release": (0o644, FACTS),
        "etc/passwd": (0o644, passwd),
        "etc/group": (0o644, b"root:x:0:\n"),
        "etc/shadow": (0o640, b"root:*:20000:0:99999:7:::\n"),
        "opt/README": (0o644, b"for steps\n"),
        "root/.profile": (0o644, b""),
        "usr/sbin/nologin": (0o755, b"#!/bin/sh\nexit 1\n"),
        "usr/bin/mount": (0o755, b"#!/bin/sh\n"),
        "usr/share/zoneinfo/UTC": (0o644, b"TZif"),
    }
    dpkg = {f"usr/bin/{name}": (0o755, b"#!/bin/sh\n") for name in ("dpkg", "dpkg-query")}
    required = {"Essential": "yes", "Priority": "required"}
    return [
        FakePackage(name="apt", fields={"Priority": "important"}),
        FakePackage(name="base-files", fields=required, files=system),
        FakePackage(name="busybox", fields=required, files=shell | applets),
        FakePackage(name="dpkg", fields=required, files=dpkg),
    ]


def _libraries(program: Path) -> list[Path]:
    """What the dynamic linker loads for `program`, itself included (ldd(1))."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder with recipes, their archive, and a cache of its own."""

    folder: Path
    archive: DebianArchive
    cache: Path
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def dist(self) -> Path:
        """Where images go."""
        return self.folder / "dist"

    def write(self, name: str = "tiny", steps: tuple[str, ...] = STEPS, more: str = "") -> Path:
        """A recipe that runs `steps`; `more` are steps as YAML."""
        lines = "".join(f"  - run: {step}\n" for step in steps) + more
        recipe = self.folder / f"{name}.yaml"
        recipe.write_text(_RECIPE.format(name=name, mirror=self.archive.url, steps=lines))
        return recipe

    def start(self, *words: str | Path, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """`wslimg WORDS` in the folder, its standard error a pipe."""
        return subprocess.Popen(
            [*prefix, str(WSLIMG), *map(str, words)],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self) -> dict[str, str]:
        """What commands see; proxies of the host are none of the archive's."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return {**kept, "WSLIMG_CACHE": str(self.cache), "PYTHONPATH": str(ROOT), **self.env}

    def build(self, recipe: Path, *words: str | Path, status: int = 0) -> str:
        """Build to the end and check the exit status; what was written to standard error."""
        with self.start("build", recipe.name, *words) as build:
            _, messages = build.communicate()
        assert build.returncode == status, messages
        return messages


@contextmanager
def open_place(folder: Path) -> Iterator[Place]:
    """A place below `folder`, whose archive answers while the block lasts."""
    with serve_archive() as archive:
        archive.publish_all(tiny_packages())
        archive.write_key(folder / "key.asc")
        yield Place(folder=folder, archive=archive, cache=folder / "cache")
