"""A started distribution: its processes see what they would under WSL, as far as a container can show it."""

from __future__ import annotations

import fcntl
import marshal
import os
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from builder.core.errors import ExecuteError
from builder.sandbox.container import Container, memory_file, start_container
from builder.sandbox.spec import ContainerSpec, Mount, Root
from builder.trial.dialogue import Dialogue, Reply, UnansweredError
from builder.trial.inside import Inside

_ENTER = Path(__file__).with_name("enter.py")
_TIOCSPTLCK, _TIOCGPTPEER = 0x40045431, 0x5441
_IDLE = ("/bin/sh", "-c", "read -r _")
TIMED_OUT = 124


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What to run. `program` is looked up on PATH of `env`, `argv` starts with what it is told to be called.

    `user` is a name or number of the image. With `network` the command sees the host's network. `limit` is in
    seconds; after that the status is 124.
    """

    program: str
    argv: tuple[str, ...]
    env: dict[str, str]
    user: str = "0"
    cwd: str = "/"
    network: bool = False
    limit: float = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a command ended, and what it printed to standard output and standard error, or to its terminal.

    `answers` is how many of its questions were answered.
    """

    status: int
    output: str
    errors: str = ""
    answers: int = 0

    @property
    def last_lines(self) -> str:
        """What explains a failure best."""
        return "\n".join((self.errors.strip() or self.output.strip()).splitlines()[-8:])


_ENDED = Result(status=TIMED_OUT, output="", errors="the distribution has ended: its first process is gone")


@dataclass(kw_only=True)
class Instance:
    """A running container; obtain one from `start_instance`.

    `init` is the host's number of its PID 1, `booted` whether that is a systemd that answers, `console` what
    it has printed.
    """

    container: Container
    init: int
    booted: bool = False
    console: bytearray = field(default_factory=bytearray)

    @property
    def running(self) -> bool:
        """Whether its PID 1 lives."""
        return Path(f"/proc/{self.init}").exists()

    def run(self, command: Command, *, stdin: str = "") -> Result:
        """Run a command without a terminal to its end. What it prints is taken as UTF-8."""
        if not self.running:
            return _ENDED
        with (
            self._enter(command, terminal=False) as (words, descriptor),
            memory_file(stdin.encode()) as source,
        ):
            process = subprocess.Popen(
                words,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(descriptor,),
                start_new_session=True,
            )
            with _ended(process):
                try:
                    output, errors = process.communicate(timeout=command.limit)
                except subprocess.TimeoutExpired:
                    return Result(
                        status=TIMED_OUT, output="", errors=f"not ended after {command.limit:.0f} s"
                    )
        return Result(status=process.returncode, output=_text(output), errors=_text(errors))

    def talk(self, command: Command, replies: tuple[Reply, ...], *, patience: float = 15) -> Result:
        """Run a command on a terminal of the container, answering what it asks.

        A dialogue that gets stuck has the status 124 and says so in `errors`; the command is killed then.
        """
        if not self.running:
            return _ENDED
        with self.terminal(command) as (process, master):
            dialogue = Dialogue(terminal=master, replies=replies, patience=patience, limit=command.limit)
            status, errors = TIMED_OUT, ""
            try:
                dialogue.run()
                status = process.wait(timeout=10)
            except UnansweredError as error:
                errors = str(error)
            except subprocess.TimeoutExpired:
                errors = "it closed its terminal and went on"
        return Result(status=status, output=dialogue.text(), errors=errors, answers=dialogue.answers)

    @contextmanager
    def terminal(self, command: Command) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        """The running command and the master side of its terminal; both end with the block."""
        with ExitStack() as stack:
            master = self._open_terminal()
            stack.callback(os.close, master)
            words, descriptor = stack.enter_context(self._enter(command, terminal=True))
            slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            try:
                process = subprocess.Popen(
                    words,
                    stdin=slave,
                    stdout=slave,
                    stderr=slave,
                    pass_fds=(descriptor,),
                    start_new_session=True,
                )
            finally:
                os.close(slave)
            stack.enter_context(_ended(process))
            yield process, master

    @contextmanager
    def _enter(self, command: Command, *, terminal: bool) -> Iterator[tuple[list[str], int]]:
        order = {
            "pid": self.init,
            "program": command.program,
            "argv": command.argv,
            "env": command.env,
            "cwd": command.cwd,
            "user": command.user,
            "network": command.network,
            "terminal": terminal,
        }
        with memory_file(marshal.dumps(order)) as descriptor:
            yield [sys.executable, "-I", "-S", str(_ENTER), str(descriptor)], descriptor

    def _open_terminal(self) -> int:
        """A pseudo-terminal of the container's own devpts: to one of the host's, tty(1) says "not a tty"."""
        master = Inside(Path(f"/proc/{self.init}/root")).open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        return master


@contextmanager
def start_instance(
    tree: Path,
    *,
    init: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
    mounts: tuple[Mount, ...] = (),
) -> Iterator[Instance]:
    """Start the distribution in `tree`, which it changes: with `init` as PID 1, or idle without.

    Everything in it is killed at the end of the block. Raises ExecuteError if it cannot be started.
    """
    spec = ContainerSpec(
        root=Root(directory=str(tree)),
        argv=init or _IDLE,
        env=tuple(sorted((env or {}).items())),
        mounts=mounts,
        terminal=bool(init),
        boot=bool(init),
    )
    with start_container(spec, stdin=subprocess.PIPE) as container:
        instance = Instance(container=container, init=_first_child(container.pid))
        if container.terminal >= 0:
            _drain(container.terminal, instance.console)
        yield instance


def _first_child(pid: int) -> int:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(100):
        if children := path.read_text().split():
            return int(children[0])
        time.sleep(0.01)
    raise ExecuteError("the container ended as soon as it had started")


def _drain(terminal: int, console: bytearray) -> None:
    """Keep reading what the init system prints, which would otherwise block it."""
    copy = os.dup(terminal)

    def read() -> None:
        with suppress(OSError):
            while data := os.read(copy, 65536):
                console.extend(data)
        os.close(copy)

    threading.Thread(target=read, daemon=True).start()


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """See to it that the process and its pipes are gone after the block."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
