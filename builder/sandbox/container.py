"""Starts a container, hands its output on while it runs, and ends it."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from builder.core.errors import ExecuteError
from builder.core.events import Output, Sink
from builder.sandbox.init import STARTED, TERMINAL
from builder.sandbox.spec import ContainerSpec, encode_spec

TIMED_OUT = 124
_LAUNCHER = Path(__file__).with_name("launcher.py")
_CHUNK = 65536


class Container:
    """A running container. It dies with the thread that started it, and at the latest with `close`.

    `stdout` and `stderr` are its pipes, where they were asked for; `terminal` is the master side of its
    pseudo-terminal or -1. Obtain one from `start_container`.
    """

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._messages: list[bytes] = []
        self.terminal = -1

    @property
    def pid(self) -> int:
        """The process id of the launcher; the container's PID 1 is its only child."""
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes] | None:
        """What the command writes to its standard output."""
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes] | None:
        """What the command writes to its standard error."""
        return self._process.stderr

    def wait_started(self) -> None:
        """Return when the command is about to start. Raises ExecuteError if the container cannot be made."""
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._control, _CHUNK, 1)
            if message == TERMINAL:
                self.terminal = descriptors[0]
            elif message == STARTED:
                return
            else:
                self._process.wait()
                raise _setup_error(message)

    def signal(self, number: int) -> None:
        """Send a signal to the command's process group, or to PID 1 of a booted container."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill every process of the container. `wait` returns when the last one is gone."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(b"kill")

    def wait(self, timeout: float | None = None) -> int:
        """The exit status of the command: 128+n if signal n ended it, 126 or 127 if it could not start.

        Raises subprocess.TimeoutExpired after `timeout` seconds.
        """
        code = self._process.wait(timeout)
        return code if code >= 0 else 128 - code

    def close(self) -> None:
        """End the container if it runs and release everything."""
        self.kill()
        self._process.wait()
        self._control.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        if self.terminal >= 0:
            os.close(self.terminal)


def _setup_error(message: bytes) -> ExecuteError:
    reason = os.fsdecode(message) or "the process that makes the container ended early"
    return ExecuteError(
        f"the sandbox could not start: {reason}", fix="wslimg doctor says what this host lacks"
    )


@contextmanager
def start_container(
    spec: ContainerSpec, *, stdin: int, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
) -> Iterator[Container]:
    """A container whose command has started; it is killed at the end of the block.

    The streams are descriptors or `subprocess` constants; a terminal takes their place where the spec asks
    for one. Raises ExecuteError if the container cannot be made.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, memory_file(encode_spec(spec)) as encoded:
        words = [str(encoded), str(theirs.fileno()), str(os.getpid())]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), *words],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(encoded, theirs.fileno()),
            start_new_session=True,
        )
    container = Container(process, ours)
    try:
        container.wait_started()
        yield container
    finally:
        container.close()


def run_container(spec: ContainerSpec, sink: Sink, *, stdin: bytes = b"", timeout: float = 0) -> int:
    """Run the command to its end, with `stdin` as its input, and return its exit status as Docker does.

    Output reaches `sink` while it is written. After `timeout` seconds (0: never) everything in the container
    is killed and the status is 124. Raises ExecuteError if the container cannot be made.
    """
    with memory_file(stdin) as source, start_container(spec, stdin=source) as container:
        if not _pump(container, sink, timeout):
            container.kill()
            container.wait()
            return TIMED_OUT
        return container.wait()


def _pump(container: Container, sink: Sink, timeout: float) -> bool:
    """Hand on output until both streams end; whether that was within the time-out."""
    deadline = time.monotonic() + timeout if timeout else None
    with selectors.DefaultSelector() as selector:
        for name, stream in (("stdout", container.stdout), ("stderr", container.stderr)):
            if stream:
                selector.register(stream, selectors.EVENT_READ, name)
        while selector.get_map():
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = selector.select(left)
            if not ready and left == 0:
                return False
            for key, _ in ready:
                if data := os.read(key.fd, _CHUNK):
                    sink(Output(stream=key.data, data=data))
                else:
                    selector.unregister(key.fileobj)
    return True


@contextmanager
def memory_file(data: bytes) -> Iterator[int]:
    """A descriptor to read `data` from; it may be rewound and opened again through /dev/stdin."""
    descriptor = os.memfd_create("wslimg", os.MFD_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
