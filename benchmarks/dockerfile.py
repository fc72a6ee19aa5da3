"""A Dockerfile that installs the same packages, and its export, on an engine that has the base already."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.inputs import FOLDER, SMALL, SUITE, make
from benchmarks.mirror import serve_mirror
from builder.sandbox import kernel
from tests.conformance.dockerd import running_dockerd

_TOOLS = ("docker", "dockerd", "runc")
_DOCKERFILE = """FROM debian:{suite}
RUN echo 'deb {mirror}/debian {suite} main' > /etc/apt/sources.list \\
 && apt-get update \\
 && apt-get install --yes --no-install-recommends {packages} \\
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY overlay /
"""


@contextmanager
def dockerfile_engine(folder: Path, packages: tuple[str, ...]) -> Iterator[str]:
    """The address of a Docker engine that can build the Dockerfile in `folder`, which is written; empty where
    one of the programs is missing.

    The engine has no network but its own loopback interface, where it finds a mirror of Debian.
    """
    if not all(map(shutil.which, _TOOLS)):
        yield ""
        return
    with running_dockerd() as address, serve_mirror(FOLDER / "mirror", _listen_beside(address)) as mirror:
        text = _DOCKERFILE.format(suite=SUITE, mirror=mirror, packages=" ".join(packages))
        (folder / "Dockerfile").write_text(text)
        (folder / ".dockerignore").write_text("*\n!overlay\n")
        subprocess.run(
            f"tar --numeric-owner -C {make(SMALL)} -c . | docker import - debian:{SUITE}",
            shell=True,
            check=True,
            env=os.environ | {"DOCKER_HOST": address},
        )
        yield address


def build_and_export(address: str, *, output: str, options: str = "") -> str:
    """The command, for the folder of the Dockerfile; as people write it down but for the engine's address."""
    return (
        f"export DOCKER_HOST={address}; docker build --quiet --network=host {options} --tag image . && "
        f'container=$(docker create image sh) && docker export "$container" | gzip --best > {output} && '
        'docker rm "$container"'
    )


def _listen_beside(address: str) -> socket.socket:
    """A socket that listens on the loopback interface of the network of the engine at `address`."""
    found: list[socket.socket] = []

    def listen() -> None:
        with Path(f"/proc/{_find_process(address)}/ns/net").open() as namespace:
            kernel.check(kernel.libc.setns(namespace.fileno(), 0), "cannot join the engine's network")
        found.append(socket.create_server(("127.0.0.1", 0)))

    thread = threading.Thread(target=listen)  # a thread alone changes places, and ends there
    thread.start()
    thread.join()
    return found[0]


def _find_process(address: str) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address.removeprefix("unix://"))
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process: int = struct.unpack("3i", peer)[0]
    return process
