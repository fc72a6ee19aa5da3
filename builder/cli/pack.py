"""`wslimg pack`."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import click

from builder.check.formats import render
from builder.cli.options import console, format_option, progress_options
from builder.console import format_size
from builder.core.errors import ExitCode, UsageError
from builder.core.places import cache_folder
from builder.model.finding import Severity
from builder.pack.settings import Kind, PackSettings, Preset
from builder.pipeline.repack import FOREVER, Repacked, RepackOptions, repack
from builder.wsl.keys import ConfigFile

_DIGITS = len(str(FOREVER)) - 1
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("source", metavar="DIR|TAR|IMAGE|-")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The image to write.",
)
@click.option("--fix", is_flag=True, help="Take out what must not ship: caches, logs, keys, resolv.conf ...")
@click.option("--wsl-conf", type=_FILE, help="Use this file as /etc/wsl.conf.")
@click.option("--distribution-conf", type=_FILE, help="Use this file as /etc/wsl-distribution.conf.")
@click.option(
    "--compression",
    type=click.Choice([kind.value for kind in Kind]),
    default="gzip",
    show_default=True,
    help="gzip for every WSL, xz where size matters most; zstd is read by WSL 2 only.",
)
@click.option(
    "--preset",
    type=click.Choice([preset.value for preset in Preset]),
    default="default",
    show_default=True,
    help="Time against size, of gzip.",
)
@click.option(
    "--single-member", is_flag=True, help="One gzip member, for readers that know no second; slower."
)
@click.option(
    "--threads",
    type=click.IntRange(0, 256),
    default=0,
    metavar="N",
    help="How many compress, 0 for one a usable CPU. [default: 0]",
)
@click.option("--no-cache", is_flag=True, help="Compress everything anew and keep nothing.")
@click.option(
    "--trust-mtime",
    is_flag=True,
    help="Take files of a folder as unchanged if inode, size and times are those of the cache.",
)
@click.option(
    "--tar-digest",
    is_flag=True,
    help="Print the SHA-256 of the archive itself too: the same whatever compresses it.",
)
@format_option("text", "json")
@progress_options
@click.pass_context
def pack(
    context: click.Context,
    source: str,
    output: Path,
    fix: bool,
    wsl_conf: Path | None,
    distribution_conf: Path | None,
    compression: str,
    preset: str,
    single_member: bool,
    threads: int,
    no_cache: bool,
    trust_mtime: bool,
    tar_digest: bool,
    form: str,
    progress: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Pack a folder, an archive or another image, and check the result.

    Archives may be compressed with gzip, xz, bzip2 or zstd; `-` reads one from standard input. Where WSL
    would refuse the image it is written all the same, and the exit status is 5.

    Times stay as they are; SOURCE_DATE_EPOCH (seconds) sets the latest one.
    """
    settings = PackSettings(
        time=_latest_time(),
        kind=Kind(compression),
        preset=Preset(preset),
        single_member=single_member,
        threads=threads,
        tar_digest=tar_digest,
        verify=True,
    )
    given = {ConfigFile.WSL_CONF: wsl_conf, ConfigFile.DISTRIBUTION_CONF: distribution_conf}
    options = RepackOptions(
        source=source,
        output=output,
        settings=settings,
        cache=cache_folder(),
        use_cache=not no_cache,
        configuration={kind: path for kind, path in given.items() if path is not None},
        fix=fix,
        trust_mtime=trust_mtime,
    )
    with console(progress, verbose, quiet) as sink:
        packed = repack(options, sink)
    if form == "json":
        click.echo(json.dumps(packed.as_dict(), indent=2))
    else:
        if not quiet:
            click.echo(_describe(packed))
        findings = [each for each in packed.report.findings if not (quiet and each.severity is Severity.INFO)]
        if findings:
            click.echo(render([replace(packed.report, findings=tuple(findings))], "text"), nl=False)
    context.exit(ExitCode.OK if packed.report.ok else ExitCode.CHECK)


def _latest_time() -> int:
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return FOREVER
    if not text.isdecimal() or len(text) > _DIGITS:
        raise UsageError(f"SOURCE_DATE_EPOCH is {text!r}, expected seconds since the epoch")
    return int(text)


def _describe(packed: Repacked) -> str:
    result = packed.result
    archive = [f"  tar       {result.tar_sha256}"] if result.tar_sha256 else []
    lines = [
        f"  image     {result.path}  {format_size(result.size)}",
        f"            {format_size(result.tar_size)} unpacked, {result.entries} entries, {result.compressor}",
        f"  sha256    {result.sha256}",
        *archive,
        f"  time      {', '.join(f'{name} {seconds:.1f} s' for name, seconds in packed.seconds.items())}",
    ]
    removed = [each for each in packed.removed if not each.is_attribute]  # those are warnings
    if removed:
        size = format_size(sum(each.size for each in removed))
        lines.append(f"  removed   {len(removed)} things, {size}:")
        lines += [f"            {each.path}: {each.why}" for each in removed[:20]]
        lines += [f"            and {len(removed) - 20} more"] if len(removed) > 20 else []
    return "\n".join(lines)
