"""The command `wslimg`: its group, what all commands have in common, and their exit codes."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, TextIO

import click

from builder import __version__
from builder.console import describe_error
from builder.core.errors import ExitCode, UsageError, WslimgError
from builder.core.interpreter import tune_interpreter

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# name -> module and attribute. Loaded when called, so that `wslimg --help` is immediate.
_COMMANDS = {
    "build": "builder.cli.build:build",
    "plan": "builder.cli.build:plan",
    "lock": "builder.cli.lock:lock",
    "fetch": "builder.cli.fetch:fetch",
    "shell": "builder.cli.shell:shell",
    "init": "builder.cli.init:init",
    "schema": "builder.cli.init:schema",
    "doctor": "builder.cli.doctor:doctor",
    "cache": "builder.cli.cache:cache",
    "convert": "builder.cli.convert:convert",
    "pack": "builder.cli.pack:pack",
    "check": "builder.cli.check:check",
    "conf": "builder.cli.conf:conf",
    "publish": "builder.cli.publish:publish",
    "catalog": "builder.cli.catalog:catalog",
    "try": "builder.cli.trial:trial",
}


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the pipeline."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command `cmd_name`, None if there is none."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


_EXIT_CODES = """\b
Exit codes: 0 ok, 1 unexpected, 2 usage or recipe, 3 resolve, 4 execute,
5 check, 6 publish, 130 interrupted."""

_LOST = (OSError, WslimgError)
"""What is raised where standard error cannot be written, so that nobody can be told."""


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EXIT_CODES,
)
@click.version_option(__version__, prog_name="wslimg")
def wslimg() -> None:
    """Builds custom WSL distributions from YAML recipes, and checks and tries them before anyone does."""


def run() -> None:
    """The entry point: every way out goes through one of the exit codes."""
    _interrupt_on(signal.SIGTERM, signal.SIGHUP)
    _replace_streams()
    tune_interpreter()
    try:
        code = wslimg.main(standalone_mode=False)
        sys.stdout.flush()
    except WslimgError as error:
        with contextlib.suppress(*_LOST):
            describe_error(error)
        code = error.exit_code
    except click.ClickException as error:
        with contextlib.suppress(*_LOST):
            error.show()
        code = ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        with contextlib.suppress(*_LOST):
            click.echo("interrupted: nothing half-made is left behind", err=True)
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left, as `| head` does: no reason to complain, nothing left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.UNEXPECTED
    _leave(code if isinstance(code, int) else ExitCode.OK)


def _leave(code: int) -> None:
    """End now. An ordinary exit would wait for a download that hangs on a mirror which does not answer."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, *_LOST):
            stream.flush()
    os._exit(code)


class _Standard(io.FileIO):
    """Standard output or error, the one of `name`: where it cannot be written, that is no bug of wslimg."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._where = name

    def write(self, data: ReadableBuffer, /) -> int:
        """As a file does. Raises UsageError, BrokenPipeError."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(
                f"cannot be written: {error.strerror}",
                where=self._where,
                fix="make room there, or send it elsewhere",
            ) from error


def _replace_streams() -> None:
    """Let the standard streams tell when they fail. For one that is closed Python has None, and the next file
    to be opened, the image maybe, would get its number: what is written to it is for nobody instead."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    sys.stdout = _replacement(sys.stdout, "standard output")
    sys.stderr = _replacement(sys.stderr, "standard error")


def _replacement(stream: TextIO | None, name: str) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8", errors="replace")
    writer = io.BufferedWriter(_Standard(stream.fileno(), name))
    return io.TextIOWrapper(
        writer, encoding=stream.encoding, errors=stream.errors, line_buffering=bool(stream.line_buffering)
    )


def _interrupt_on(*signals: signal.Signals) -> None:
    """Let a CI system's way of stopping a job take the same clean way out as Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)
