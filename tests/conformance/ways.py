"""The ways to reach an engine: ssh, TLS and contexts, each as the environment that leads there."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.dockerd import engine_folder, running_dockerd

SSHD = "/usr/sbin/sshd"
_SSHD_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
"""
_SSH_CONFIG = """\
#!/bin/sh
exec /usr/bin/ssh -F none -o IdentityFile={folder}/user -o UserKnownHostsFile={folder}/known "$@"
"""


@contextmanager
def over_ssh() -> Iterator[dict[str, str]]:
    """A Docker engine behind an ssh server that only the key of the user lets in."""
    with engine_folder() as folder, running_dockerd() as address, running_sshd(folder) as (port, path):
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{address.removeprefix('unix://')}"
        yield {"DOCKER_HOST": url, "PATH": path}


@contextmanager
def running_sshd(folder: Path) -> Iterator[tuple[int, str]]:
    """The port of an ssh server, and a PATH whose `ssh` has the key for it."""
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
        subprocess.run(command, check=True)
    port = free_port()
    (folder / "config").write_text(_SSHD_CONFIG.format(port=port, folder=folder))
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "bin").mkdir()
    (folder / "bin/ssh").write_text(_SSH_CONFIG.format(folder=folder))
    (folder / "bin/ssh").chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)  # where it has its unprivileged part (sshd(8))
    with (folder / "sshd.log").open("wb") as log:
        command = [SSHD, "-D", "-e", "-f", folder / "config"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield port, f"{folder}/bin:{os.environ['PATH']}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def over_tls() -> Iterator[dict[str, str]]:
    """A Docker engine that lets in whom its certificate authority knows."""
    with engine_folder() as folder, running_tls(folder) as url:
        yield {"DOCKER_HOST": url, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(folder / "client")}


@contextmanager
def over_context() -> Iterator[dict[str, str]]:
    """The same engine, named by the context that `docker` has made and uses."""
    with engine_folder() as folder, running_tls(folder) as url:
        env = {"DOCKER_CONFIG": str(folder / "docker")}
        keys = ",".join(f"{name}={folder}/client/{name}.pem" for name in ("ca", "cert", "key"))
        for words in (("create", "build", "--docker", f"host={url},{keys}"), ("use", "build")):
            command = ["docker", "context", *words]
            subprocess.run(command, env={**os.environ, **env}, check=True, capture_output=True)
        yield env


@contextmanager
def running_tls(folder: Path) -> Iterator[str]:
    """The tcp address of a Docker engine; `folder`/client has what opens it."""
    make_certificates(folder)
    options = [f"--tls{option}={folder}/server/{name}.pem" for option, name in
               (("cacert", "ca"), ("cert", "cert"), ("key", "key"))]  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with running_dockerd("--tlsverify", *options, inherited=server.fileno()):
            yield f"tcp://127.0.0.1:{port}"


def make_certificates(folder: Path) -> None:
    """`ca.pem`, `cert.pem` and `key.pem` for a server at 127.0.0.1 and for its client, by one authority."""
    key = folder / "ca-key.pem"
    _openssl("req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=authority", *_new_key(key),
             "-out", folder / "ca.pem")  # fmt: skip
    for name, usage in (("server", "serverAuth"), ("client", "clientAuth")):
        own = folder / name
        own.mkdir()
        (own / "ca.pem").write_bytes((folder / "ca.pem").read_bytes())
        (own / "extensions").write_text(f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
        _openssl("req", "-nodes", "-subj", f"/CN={name}", *_new_key(own / "key.pem"), "-out", own / "request")
        _openssl("x509", "-req", "-days", "1", "-in", own / "request", "-extfile", own / "extensions",
                 "-CA", folder / "ca.pem", "-CAkey", key, "-CAcreateserial",
                 "-out", own / "cert.pem")  # fmt: skip


def _new_key(path: Path) -> tuple[str | Path, ...]:
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", path


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Return when somebody listens at `port` of loopback."""
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nobody listens at {port}"
            time.sleep(0.02)
        else:
            return
