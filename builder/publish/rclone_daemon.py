"""rclone at our side for as long as we live: one process that keeps its connections, spoken with over HTTP.

Starting rclone anew for each of the many small files of a catalog takes it tens of milliseconds, and each
time a new login. https://rclone.org/rc/ describes its commands.
"""

from __future__ import annotations

import atexit
import base64
import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import IO, Any
from urllib.parse import quote

from builder.core.errors import PublishError

_WATCH = 'exec 3<&0; "$@" 3<&- & child=$!; { cat <&3 >/dev/null; kill $child; } 2>&- & wait $child'
"""Runs a command until it ends or our end of its standard input closes, be it because we were killed."""
_OPTIONS = ("--rc-addr", "127.0.0.1:0", "--rc-serve", "--ignore-times", "--copy-links", "--retries", "3")
"""Files are replaced whatever their size and time; a free port is chosen by the system."""
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_START = 20.0
_PIECE = 1 << 20
_UNOPENED = "Not Found"
"""All that rclone says where it found a file and could not open it, whatever the reason."""
_lock = threading.Lock()
_running: list[Daemon] = []


class RcloneError(Exception):
    """What rclone said instead of doing it."""


class PassingError(RcloneError):
    """A file went, or was replaced, while rclone began to read it: the next moment it is missing or whole."""


class Daemon:
    """`rclone rcd` on a port of this machine, with a password that nobody else knows.

    Raises PublishError if rclone is missing or does not start.
    """

    def __init__(self) -> None:
        password = secrets.token_urlsafe(24)
        self._authorization = "Basic " + base64.b64encode(f"wslimg:{password}".encode()).decode()
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            ["sh", "-c", _WATCH, "sh", find_rclone(), "rcd", *_OPTIONS],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=_with_login(password),
        )
        self._port = self._wait_for_port()

    def call(self, command: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What `command` answers. Raises RcloneError."""
        body = json.dumps(parameters)
        with self._answer("POST", f"/{command}", body) as response:
            answer: dict[str, Any] = json.loads(response.read())
            if response.status != 200:
                raise RcloneError(str(answer.get("error", response.reason)))
            return answer

    def read(self, remote: str, path: str) -> Iterator[bytes]:
        """The content of the file `path` of `remote`, in pieces, whole. Raises RcloneError."""
        with self._answer("GET", "/" + quote(f"[{remote}]/{path}"), None) as response:
            if response.status != 200:
                text = response.read(10_000).decode("utf-8", "replace")
                if text.strip() == _UNOPENED:
                    raise PassingError("the file is listed and cannot be opened")
                raise RcloneError(text)
            more = True
            while more:
                piece = response.read(_PIECE)
                more = len(piece) == _PIECE
                if response.length and not more:
                    raise PassingError(f"the content ended {response.length} bytes early")
                if piece:
                    yield piece

    def close(self) -> None:
        """End rclone, for programs that end in order; the watch ends it for all others."""
        self._process.communicate()
        self._log.close()

    @contextmanager
    def _answer(self, method: str, path: str, body: str | None) -> Iterator[http.client.HTTPResponse]:
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            try:
                connection.request(method, path, body, headers)
                yield connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise RcloneError(f"rclone does not answer: {error}") from None

    def _wait_for_port(self) -> int:
        begin = time.monotonic()
        while not (found := _ADDRESS.search(text := _read_log(self._log))):
            if self._process.poll() is not None or time.monotonic() - begin > _START:
                self._process.kill()
                fix = "try `rclone rcd`; version 1.60 or newer is needed"
                raise PublishError(f"does not start: {text.strip()[-300:]}", where="rclone", fix=fix)
            time.sleep(0.02)
        return int(found[1])


def daemon() -> Daemon:
    """The one of this process."""
    with _lock:
        if not _running:
            _running.append(started := Daemon())
            atexit.register(started.close)
        return _running[0]


def find_rclone() -> str:
    """The program. Raises PublishError."""
    found = shutil.which("rclone") or shutil.which("rclone", path=sysconfig.get_path("scripts"))
    if found is None:
        raise PublishError("is not installed", where="rclone", fix="install it: https://rclone.org/install/")
    return found


def _with_login(password: str) -> dict[str, str]:
    return {**os.environ, "RCLONE_RC_USER": "wslimg", "RCLONE_RC_PASS": password}


def _read_log(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode("utf-8", "replace")
