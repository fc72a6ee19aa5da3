"""An engine behind ssh, as a socket of this machine: `ssh -L` has its configuration, keys and agent.

Nothing has to be installed on the other machine, and one connection serves for all requests.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.core.errors import ExecuteError
from builder.execute.docker.address import Address
from builder.sandbox import kernel

_SOCKET = "/var/run/docker.sock"
_OPTIONS = (
    *("-N", "-T", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=30"),
    *("-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindMask=0177"),
)


class SshForward:
    """A running `ssh`."""

    def __init__(self, address: Address, folder: Path) -> None:
        self._address = address
        self._socket = folder / "engine.sock"
        self._log = folder / "log"

    @property
    def url(self) -> str:
        """Where the engine answers."""
        return f"unix://{self._socket}"

    def trouble(self) -> str:
        """What ssh complained about last."""
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Forward until the block ends. Raises ExecuteError."""
        with self._log.open("wb") as log:
            process = self._start(log.fileno())
        try:
            self._wait(process)
            yield
        finally:
            process.terminate()
            process.wait()

    def _start(self, log: int) -> subprocess.Popen[bytes]:
        """In a session of its own: an interrupt is for this process, which has to clean up over there."""
        try:
            return subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        except FileNotFoundError:
            fix = "install it (`apt install openssh-client`)"
            raise ExecuteError("there is no ssh here", where=self._address.url, fix=fix) from None

    def _command(self) -> list[str]:
        parts = self._address.parts
        forward = f"{self._socket}:{parts.path.rstrip('/') or _SOCKET}"
        return ["ssh", *_OPTIONS, "-L", forward, "--", f"ssh://{parts.netloc}"]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """ssh makes the socket when it has logged in, and gives up by itself."""
        while not self._socket.exists():
            if process.poll() is not None:
                host = self._address.parts.netloc
                raise ExecuteError(
                    f"ssh does not get there: {self.trouble()}",
                    where=self._address.url,
                    fix=f"`ssh ssh://{host} true` has to work without a question: keys, agent, known_hosts",
                )
            time.sleep(0.01)


def _die_with_parent() -> None:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)
