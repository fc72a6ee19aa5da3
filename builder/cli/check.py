"""`wslimg check`: what WSL would say about images and distribution lists."""

from __future__ import annotations

import time
from pathlib import Path

import click

from builder.check.explain import explain
from builder.check.formats import FORMATS, render
from builder.check.options import CheckOptions, Disabled, Profile, parse_version
from builder.check.run import check as check_file
from builder.cli.options import ARCHITECTURES
from builder.core.errors import ExitCode, UsageError
from builder.pipeline.verify import load_policy


def _pair_reasons(rules: tuple[str, ...], reasons: tuple[str, ...]) -> tuple[Disabled, ...]:
    """One reason for each rule, in order; a single reason holds for all."""
    if len(reasons) == 1:
        reasons *= len(rules)
    if len(reasons) != len(rules):
        raise UsageError(
            f"there are {len(rules)} --disable and {len(reasons)} --reason",
            fix="give --reason for each --disable",
        )
    return tuple(
        Disabled(rule=rule.upper(), reason=reason) for rule, reason in zip(rules, reasons, strict=True)
    )


def _show_explanation(context: click.Context, parameter: click.Parameter, value: str | None) -> None:  # noqa: ARG001 - click's signature
    if value is not None and not context.resilient_parsing:
        click.echo(explain(value))
        context.exit(ExitCode.OK)


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--profile",
    type=click.Choice([p.value for p in Profile]),
    default="default",
    show_default=True,
    help="Our rules, or exactly those of Microsoft's validator.",
)
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option(
    "--arch", type=click.Choice(ARCHITECTURES), help="What the image is for. [default: as its /bin/sh]"
)
@click.option(
    "--min-wsl", metavar="VERSION", default="2.4.4", show_default=True, help="The oldest WSL to run on."
)
@click.option("--wsl1", is_flag=True, help="The image is for WSL 1, too.")
@click.option("--disable", metavar="ID", multiple=True, help="A rule that does not count; needs --reason.")
@click.option("--reason", metavar="TEXT", multiple=True, help="Why, for each --disable or once for all.")
@click.option(
    "--policy", metavar="FILE", type=click.Path(path_type=Path), help="A company's policy, in YAML."
)
@click.option(
    "--explain",
    metavar="ID|CODE",
    is_eager=True,
    expose_value=False,
    callback=_show_explanation,
    help="Explain a rule, or an error code of WSL such as 0x8004030B, and exit.",
)
@click.pass_context
def check(
    context: click.Context,
    paths: tuple[Path, ...],
    profile: str,
    form: str,
    strict: bool,
    arch: str | None,
    min_wsl: str,
    wsl1: bool,
    disable: tuple[str, ...],
    reason: tuple[str, ...],
    policy: Path | None,
) -> None:
    """Say what WSL makes of images and distribution lists: exit 0 if all is well, 5 if not."""
    options = CheckOptions(
        profile=Profile(profile),
        strict=strict,
        min_wsl=parse_version(min_wsl),
        wsl1=wsl1,
        disabled=_pair_reasons(disable, reason) if disable or reason else (),
        architecture=arch,
        policy=load_policy(policy) if policy else None,
        now=int(time.time()),
    )
    reports = [check_file(path, options) for path in paths]
    click.echo(render(reports, form), nl=False)
    context.exit(ExitCode.OK if all(report.ok for report in reports) else ExitCode.CHECK)
