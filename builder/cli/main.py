"""The command `wslimg`: its group, what all commands have in common, and their exit codes."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from types import FrameType

import click

from builder import __version__
from builder.console import describe_error
from builder.core.errors import ExitCode, WslimgError
from builder.core.interpreter import tune_interpreter

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
    tune_interpreter()
    try:
        code = wslimg.main(standalone_mode=False)
    except WslimgError as error:
        describe_error(error)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        with contextlib.suppress(OSError):
            click.echo("interrupted: nothing half-made is left behind", err=True)
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left, as `| head` does: no reason to complain, nothing left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.UNEXPECTED
    _leave(code if isinstance(code, int) else ExitCode.OK)


def _leave(code: int) -> None:
    """End now. An ordinary exit would wait for a download that hangs on a mirror which does not answer."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _interrupt_on(*signals: signal.Signals) -> None:
    """Let a CI system's way of stopping a job take the same clean way out as Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)
