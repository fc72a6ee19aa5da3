"""A shell in a container of the engine, on the terminal of this process if it has one."""

from __future__ import annotations

import os
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import docker
from docker.utils.socket import STDERR

from builder.execute.docker.container import Container, Setting, close_stream, new_container, read_frames
from builder.model.operation import Exec

_PIECE = 1 << 16


def run_interactive(api: docker.APIClient, image: str, argv: tuple[str, ...], network: str) -> int:
    """Run `argv` on a throw-away copy of `image`; its exit status."""
    on_terminal = os.isatty(0)
    env = (("TERM", os.environ.get("TERM", "dumb")),)
    setting = Setting(env=env, network=network, tty=on_terminal)
    with new_container(api, image, Exec(argv=argv), setting) as container, ExitStack() as stack:
        stream = stack.enter_context(_attached(container))
        if (refused := container.start()) is not None:
            return refused
        if on_terminal:
            size = os.get_terminal_size(0)
            api.resize(container.id, height=size.lines, width=size.columns)
        with _raw_terminal(on_terminal):
            threading.Thread(target=_copy_input, args=(stream,), daemon=True).start()
            for number, data in read_frames(stream, tty=on_terminal):
                os.write(2 if number == STDERR else 1, data)
        return int(api.wait(container.id)["StatusCode"])


@contextmanager
def _attached(container: Container) -> Iterator[Any]:
    stream = container.attach()
    try:
        yield stream
    finally:
        close_stream(stream)


@contextmanager
def _raw_terminal(on_terminal: bool) -> Iterator[None]:
    """Hand every key on; the terminal is as it was afterwards."""
    if not on_terminal:
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _copy_input(stream: Any) -> None:
    connection = getattr(stream, "_sock", stream)
    try:
        while data := os.read(0, _PIECE):
            connection.sendall(data)
    except OSError:
        return
