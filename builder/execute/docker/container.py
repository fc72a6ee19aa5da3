"""One container for one command: made, filled, attached to, started, waited for, removed."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import docker
from docker.errors import APIError
from docker.utils import socket as framing

from builder.core.errors import ExecuteError
from builder.core.events import Output, Sink
from builder.execute.docker.archive import pack_layer
from builder.execute.docker.connect import explain
from builder.execute.docker.image import CACHE, LABEL, STEP
from builder.execute.tail import TIMED_OUT
from builder.model.entry import Entry
from builder.model.operation import Exec

# What the engine mounts over by itself, and its own PID 1 (moby daemon/oci_linux.go, podman's --init).
_COVERED = (
    *("/dev", "/proc", "/run", "/sys", "/tmp"),  # noqa: S108 - in the container
    *("/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf"),
    *("/sbin/docker-init", "/usr/sbin/docker-init", "/dev/init"),
)
VOLUME = "wslimg-cache-"
NAME = "wslimg-step-"  # the labels of a container are also those of the images that it becomes
_MESSAGE = 200  # bytes that a PID 1 may say
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a command finds around it. `files` fill the `volumes` that no image keeps, by their path;
    `caches` are named volumes by path; `network` is the engine's word for one."""

    env: tuple[tuple[str, str], ...] = ()
    volumes: tuple[str, ...] = ()
    files: tuple[Entry, ...] = ()
    caches: tuple[tuple[str, str], ...] = field(default=())
    network: str = "none"
    tty: bool = False

    @property
    def mask(self) -> tuple[str, ...]:
        """What the engine makes in the tree to mount something on."""
        return (*_COVERED, *self.volumes, *(path for path, _ in self.caches))


class Container:
    """A container that has not been started."""

    def __init__(self, api: docker.APIClient, name: str) -> None:
        self._api = api
        self.id = name

    def run(self, sink: Sink, *, stdin: bytes = b"", timeout: int = 0) -> int:
        """Run the command to its end; what it prints reaches `sink` live. Its exit status as Docker has it,
        124 if it took longer than `timeout` seconds."""
        killed, last = threading.Event(), b""

        def kill() -> None:
            killed.set()
            with suppress(APIError):  # it may just have ended
                self._api.kill(self.id)

        timer = threading.Timer(timeout, kill) if timeout else None
        try:
            stream = self.attach()
        except APIError as error:  # Podman prepares the command here already
            return _explain_refusal(explain(error))
        feeder = threading.Thread(target=_feed, args=(stream, stdin), daemon=True)
        try:
            if (refused := self.start()) is not None:
                return refused
            feeder.start()
            if timer:
                timer.start()
            for number, data in read_frames(stream, tty=False):
                last = (last + data)[-_MESSAGE:]
                sink(Output(stream="stderr" if number == framing.STDERR else "stdout", data=data))
            status = int(self._api.wait(self.id)["StatusCode"])
        finally:
            if timer:
                timer.cancel()
            close_stream(stream)
        return TIMED_OUT if killed.is_set() else _read_status(status, last)

    def attach(self) -> Any:
        """A stream to and from the command, before it is started: nothing that it prints is missed."""
        params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
        return self._api.attach_socket(self.id, params=params)

    def start(self) -> int | None:
        """Start the command; an exit status where it cannot be. Raises ExecuteError for an unknown user."""
        try:
            self._api.start(self.id)
        except APIError as error:
            return _explain_refusal(explain(error))
        return None


@contextmanager
def new_container(api: docker.APIClient, image: str, exec_: Exec, setting: Setting) -> Iterator[Container]:
    """A container for `exec_` on `image`; nothing of it is left after the block."""
    config = api.create_host_config(
        init=True,
        network_mode=setting.network,
        mounts=[_mount(path, name) for path, name in setting.caches],
        tmpfs={"/run": "mode=755,exec", "/tmp": "mode=1777,exec"},  # noqa: S108 - in the container
    )
    made = api.create_container(
        image,
        command=list(exec_.argv),
        environment=dict(setting.env),
        user=_number_root(exec_.user),
        working_dir=exec_.cwd,
        volumes=list(setting.volumes),
        host_config=config,
        name=f"{NAME}{secrets.token_hex(8)}",
        labels={LABEL: STEP},
        stdin_open=True,
        tty=setting.tty,
        entrypoint=[],
    )
    try:
        for volume in setting.volumes:
            api.put_archive(made["Id"], volume, b"".join(pack_layer(_below(volume, setting.files))))
        yield Container(api, made["Id"])
    finally:
        api.remove_container(made["Id"], force=True, v=True)


def _number_root(user: str) -> str:
    """`user` with root as a number: an image without accounts still has its uid 0."""
    name, colon, group = user.partition(":")
    return f"{'0' if name in ('', 'root') else name}{colon}{group}"


def _below(volume: str, files: tuple[Entry, ...]) -> Iterator[Entry]:
    """Those of `files` that lie in `volume`, as seen from there."""
    prefix = volume.strip("/").encode() + b"/"
    for entry in files:
        if entry.path.startswith(prefix):
            yield entry._replace(path=entry.path.removeprefix(prefix))


def _mount(path: str, name: str) -> docker.types.Mount:
    return docker.types.Mount(path, name, type="volume", no_copy=True, labels={LABEL: CACHE})


def _feed(stream: Any, data: bytes) -> None:
    """Write the command's input and end it; a command may end before it has read all."""
    connection: socket.socket = getattr(stream, "_sock", stream)
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return


def close_stream(stream: Any) -> None:
    """Close what `attach` returned: a file over a socket, which that leaves open, or the socket itself."""
    connection = getattr(stream, "_sock", stream)
    stream.close()
    connection.close()


def read_frames(stream: Any, *, tty: bool) -> Iterator[tuple[int, bytes]]:
    """What comes from a container, piece by piece: the number of the stream, and bytes."""
    yield from framing.frames_iter(stream, tty=tty)  # type: ignore[no-untyped-call] # not in its stubs


def _read_status(status: int, last: bytes) -> int:
    """`status`, which Podman's PID 1 makes 1 for a command that it cannot execute (catatonit.c)."""
    if status == 1 and b"catatonit" in last and b"failed to exec pid1: " in last:
        return _NOT_FOUND if b"No such file" in last else _NOT_EXECUTABLE
    return status


def _explain_refusal(reason: str) -> int:
    if "unable to find user" in reason:
        name = reason.partition("unable to find user ")[2].partition(":")[0]
        raise ExecuteError(f"there is no user {name!r} in /etc/passwd of the image")
    if "not found" in reason or "no such file" in reason.lower():
        return _NOT_FOUND
    if "permission denied" in reason.lower() or "is a directory" in reason:
        return _NOT_EXECUTABLE
    raise ExecuteError(f"the engine does not start the command: {reason}")
