"""The targets that can run here, one row each."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conformance.bucket_servers import (
    AZURE_ACCOUNT,
    AZURE_KEY,
    KEY,
    azurite_server,
    moto_server,
    rclone_s3_server,
)
from tests.conformance.file_servers import apache_server, samba_server
from tests.conformance.publisher import Place
from tests.conformance.servers import BIN, free_port
from tests.conformance.web_servers import dav_server, nginx_server
from tests.conftest import require
from tests.e2e.registry import running_registry

SYSTEM = (pytest.mark.system,)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`start` makes an empty place below a folder for as long as its block lasts. `publishers` is how
    many write to it at once: a server in Python keeps up with fewer."""

    name: str
    start: Callable[[Path], AbstractContextManager[Place]]
    publishers: int = 40
    marks: tuple[pytest.MarkDecorator, ...] = ()


@contextmanager
def a_directory(folder: Path) -> Iterator[Place]:
    yield Place(str(folder))


@contextmanager
def a_web_server(folder: Path) -> Iterator[Place]:
    with dav_server(folder, token="secret") as base:
        yield Place(base, {"WSLIMG_TOKEN": "secret"})


@contextmanager
def nginx(folder: Path) -> Iterator[Place]:
    require(shutil.which("nginx") is not None, "nginx is not installed (apt install nginx-light)")
    require(os.geteuid() == 0, "nginx writes as root here")
    with nginx_server(folder, folder.with_name("nginx"), free_port()) as base:
        yield Place(base)


@contextmanager
def apache(folder: Path) -> Iterator[Place]:
    """Outside of `folder`, where pytest lets nobody but root in."""
    with TemporaryDirectory() as public, apache_server(Path(public), folder) as base:
        yield Place(base)


@contextmanager
def docker_registry(folder: Path) -> Iterator[Place]:
    for name in ("docker-registry", "setpriv"):
        require(
            shutil.which(name) is not None,
            f"{name} is not installed (apt install docker-registry util-linux)",
        )
    with running_registry(folder) as address:
        yield Place(f"oci://{address}/team/wsl")


@contextmanager
def registry_and_folder(folder: Path) -> Iterator[Place]:
    (folder / "lists").mkdir()
    with docker_registry(folder) as place:
        yield replace(place, lists=str(folder / "lists"))


@contextmanager
def s3(server: Callable[[Path], AbstractContextManager[str]], folder: Path) -> Iterator[Place]:
    require_module("obstore", "cloud")
    with server(folder) as endpoint:
        yield Place("s3://wsl/team/catalog", {**KEY, "AWS_ENDPOINT_URL": endpoint})


@contextmanager
def azurite(folder: Path) -> Iterator[Place]:
    require_module("obstore", "cloud")
    with azurite_server(folder) as endpoint:
        environment = {"AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY}
        yield Place("az://wsl/team/catalog", {**environment, "AZURE_STORAGE_ENDPOINT": endpoint})


@contextmanager
def samba(folder: Path) -> Iterator[Place]:
    require_module("smbclient", "smb")
    with samba_server(folder, folder.with_name("samba"), folder) as port:
        login = {"WSLIMG_SMB_USER": "root", "WSLIMG_SMB_PASSWORD": "secret"}
        yield Place(f"smb://127.0.0.1:{port}/share/team/catalog", login)


@contextmanager
def rclone(folder: Path) -> Iterator[Place]:
    require((BIN / "rclone").exists(), "rclone is not installed (make test-all)")
    yield Place(f"rclone::local:{folder}/team/catalog")


def require_module(name: str, extra: str) -> None:
    require(importlib.util.find_spec(name) is not None, f"{name} is not installed (pip install '.[{extra}]')")


ROWS = (
    Row(name="directory", start=a_directory),
    Row(name="webdav", start=a_web_server, publishers=12),
    Row(name="nginx", start=nginx, marks=SYSTEM),
    Row(name="apache", start=apache, marks=SYSTEM),
    Row(name="docker-registry", start=docker_registry, marks=SYSTEM),
    Row(name="docker-registry+folder", start=registry_and_folder, marks=SYSTEM),
    Row(name="s3-moto", start=partial(s3, moto_server), marks=SYSTEM),
    Row(name="s3-rclone", start=partial(s3, rclone_s3_server), marks=SYSTEM),
    Row(name="azurite", start=azurite, marks=SYSTEM),
    Row(name="samba", start=samba, marks=SYSTEM),
    Row(name="rclone", start=rclone, marks=SYSTEM),
)
