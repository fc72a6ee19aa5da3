"""`wslimg try`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from builder.cli.options import console, format_option, progress_options
from builder.core.errors import ExitCode
from builder.model.manifest import TestCase
from builder.trial.dialogue import DEFAULT_REPLIES, read_replies
from builder.trial.render import render_json, render_junit, render_text
from builder.trial.run import TrialOptions, try_image

_RENDERERS = {"text": render_text, "json": render_json, "junit": render_junit}


@click.command("try")
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--wsl1", is_flag=True, help="As WSL 1 would: other arguments for bsdtar, no systemd.")
@click.option("--no-boot", is_flag=True, help="Do not start systemd, even where the image asks for it.")
@click.option(
    "--answers",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help='What to answer at the first launch: JSON, [{"prompt": REGEX, "answers": [TEXT], "hidden": BOOL}].',
)
@click.option(
    "--test",
    "tests",
    metavar="COMMAND",
    multiple=True,
    help="Also run this as the default user, without network. May be repeated.",
)
@click.option("--keep", is_flag=True, help="Keep the extracted tree and say where it is.")
@format_option("text", "json", "junit")
@progress_options
def trial(
    image: Path,
    wsl1: bool,
    no_boot: bool,
    answers: Path | None,
    tests: tuple[str, ...],
    keep: bool,
    form: str,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Import, start and use IMAGE here as WSL would on Windows, and run its recipe's tests.

    Exits with 5 where WSL would fail, or a test does.
    """
    options = TrialOptions(
        wsl1=wsl1,
        boot=not no_boot,
        keep=keep,
        replies=read_replies(answers) if answers else DEFAULT_REPLIES,
        tests=tuple(TestCase(user="default", run=test, network=False) for test in tests),
    )
    with console(progress, verbose, quiet) as sink:
        report = try_image(image, options, sink)
    click.echo(_RENDERERS[form](report), nl=False)
    if not report.ok:
        sys.exit(ExitCode.CHECK)
