"""The page about commands, from the click tree."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from builder.cli.main import wslimg
from docs.generator.markdown import code, from_docstring, page, table

_INTRODUCTION = """\
Results go to standard output, progress and messages to standard error. Every command ends with one of the
[exit codes](exit-codes.md). `-h` and `--help` work everywhere; `wslimg --version` prints the version."""


def commands_page() -> str:
    """docs/reference/commands.md."""
    return page("Commands", _INTRODUCTION, *(_section(context) for context in walk_commands()))


def walk_commands() -> Iterator[click.Context]:
    """The context of every command that does something, in the order of `wslimg --help`."""
    yield from _walk(click.Context(wslimg, info_name="wslimg"))


def _walk(context: click.Context) -> Iterator[click.Context]:
    if not isinstance(context.command, click.Group):
        yield context
        return
    for name in context.command.list_commands(context):
        command = context.command.get_command(context, name)
        assert command is not None
        yield from _walk(click.Context(command, info_name=name, parent=context))


def _section(context: click.Context) -> str:
    usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    rows = [
        (code(_plain(record[0])), _plain(record[1]))
        for parameter in context.command.params
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context))
    ]
    options = table(("option", "meaning"), rows) if rows else ""
    help_text = from_docstring(inspect.cleandoc(context.command.help or ""), "")
    return "\n\n".join(
        filter(None, (f"## `{context.command_path}`", f"```console\n$ {usage}\n```", help_text, options))
    )


def _plain(text: str) -> str:
    return " ".join(text.split())
