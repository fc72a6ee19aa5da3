"""The targets that can run here, one row each."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.publish.directory import DirectoryTarget
from builder.publish.oci import OciTarget
from builder.publish.target import Target
from builder.publish.web import WebTarget
from tests.conformance.web_servers import dav_server, nginx_server
from tests.conftest import require
from tests.e2e.registry import running_registry

Open = Callable[[], Target]
"""Another view of the same place, as another process has it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """`start` makes an empty place below a folder for as long as its block lasts. `publishers` is how
    many write to it at once: a server in Python keeps up with fewer."""

    name: str
    start: Callable[[Path], AbstractContextManager[Open]]
    publishers: int = 40
    marks: tuple[pytest.MarkDecorator, ...] = ()


@contextmanager
def a_directory(folder: Path) -> Iterator[Open]:
    yield lambda: DirectoryTarget(folder)


@contextmanager
def a_web_server(folder: Path) -> Iterator[Open]:
    with dav_server(folder, token="secret") as base:
        yield lambda: WebTarget(base, token="secret")


@contextmanager
def nginx(folder: Path) -> Iterator[Open]:
    require(shutil.which("nginx") is not None, "nginx is not installed (apt install nginx-light)")
    require(os.geteuid() == 0, "nginx writes as root here")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with nginx_server(folder, folder.with_name("nginx"), port) as base:
        yield lambda: WebTarget(base)


@contextmanager
def docker_registry(folder: Path) -> Iterator[Open]:
    for name in ("docker-registry", "setpriv"):
        require(
            shutil.which(name) is not None,
            f"{name} is not installed (apt install docker-registry util-linux)",
        )
    with running_registry(folder) as address:
        yield lambda: OciTarget(f"oci://{address}/team/wsl")


ROWS = (
    Row(name="directory", start=a_directory),
    Row(name="webdav", start=a_web_server, publishers=12),
    Row(name="nginx", start=nginx, marks=(pytest.mark.system,)),
    Row(name="docker-registry", start=docker_registry, marks=(pytest.mark.system,)),
)
