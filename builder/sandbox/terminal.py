"""Joins the caller's terminal to a container: what is typed goes in, what is printed comes out."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from builder.sandbox.container import Container, start_container
from builder.sandbox.spec import ContainerSpec

_CHUNK = 65536


def run_interactive(spec: ContainerSpec) -> int:
    """Run the command with the caller's streams as its own, and return its exit status.

    On a terminal it gets one of its own, which follows the size of the caller's.
    """
    if not (os.isatty(0) and os.isatty(1)):
        with start_container(spec, stdin=0, stdout=1, stderr=2) as container:
            return container.wait()
    with start_container(replace(spec, terminal=True), stdin=0, stdout=1, stderr=2) as container:
        with _raw_input(0), _same_size(container.terminal):
            _relay(container)
        return container.wait()


@contextmanager
def _raw_input(descriptor: int) -> Iterator[None]:
    """Every key goes to the container, Ctrl-C too."""
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _same_size(master: int) -> Iterator[None]:
    def follow(*_: object) -> None:
        fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))

    before = signal.signal(signal.SIGWINCH, follow)
    follow()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _relay(container: Container) -> None:
    """Copy both ways until the container closes its side."""
    sources = {0: container.terminal, container.terminal: 1}
    while True:
        ready, _, _ = select.select(list(sources), [], [])
        for source in ready:
            data = _read(source)
            if not data:
                if source != 0:
                    return
                sources.pop(0)
            while data:
                data = data[os.write(sources[source], data) :]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK)
    except OSError as error:
        if error.errno == errno.EIO:  # a terminal whose other side is closed
            return b""
        raise
