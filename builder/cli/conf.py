"""`wslimg conf`: a configuration file of WSL, as WSL reads it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from builder.cli.member import read_member
from builder.cli.options import format_option
from builder.core.errors import CheckError, UsageError
from builder.tar.compression import Compression, CompressionError, detect
from builder.tar.parse import TarError
from builder.wsl.config import ParsedConfig, Setting, parse_config, text
from builder.wsl.keys import ConfigFile, Key, KeyType, Value

_KINDS = [kind.value for kind in ConfigFile]
_USTAR = slice(257, 262)


@click.command("conf")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE|IMAGE")
@click.option("--kind", type=click.Choice(_KINDS), help="Which file it is. [default: by the name of FILE]")
@format_option("text", "json")
@click.pass_context
def conf(context: click.Context, file: Path, kind: str | None, form: str) -> None:
    """Show what WSL reads in a configuration file.

    FILE is a wsl.conf or wsl-distribution.conf; of an IMAGE the one that --kind names is shown. Exits with 1
    when a syntax error makes WSL ignore the rest of the file, with 2 when it cannot be read.
    """
    data, config = read_config(file, kind)
    parsed = parse_config(data, config)
    click.echo(render_json(parsed) if form == "json" else render_text(parsed, file))
    if parsed.stopped:
        context.exit(1)


def read_config(path: Path, kind: str | None) -> tuple[bytes, ConfigFile]:
    """The content of the file at `path`, or inside the image there, and which file it is.

    Raises UsageError when it cannot be read or told.
    """
    try:
        with path.open("rb") as file:
            image = _is_image(file.read(512))
        config = _choose_kind(path, kind, image=image)
        return (read_member(path, config.path) if image else path.read_bytes()), config
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (TarError, CompressionError, CheckError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path)) from error


def render_json(parsed: ParsedConfig) -> str:
    """The answer for programs. Bytes that are not UTF-8 are lone surrogates (PEP 383), escaped."""
    document = {
        "entries": [[key, text(value)] for key, value in parsed.entries],
        "effective": parsed.effective,
        "warnings": [asdict(warning) for warning in parsed.warnings],
        "stopped": parsed.stopped,
    }
    return json.dumps(document, indent=2)


def render_text(parsed: ParsedConfig, path: Path) -> str:
    """The answer for people: what is set, what WSL says to it, and the defaults that hold besides."""
    chosen = [setting for setting in parsed.settings if setting.line]
    defaults = [setting for setting in parsed.settings if not setting.line]
    lines = [f"{parsed.file.path}, as WSL reads it:"]
    lines += [_row(setting) for setting in chosen] or ["  nothing is set"]
    if parsed.warnings:
        lines += ["", "WSL warns:"]
        lines += [f"  {path}:{warning.line}: {_printable(warning.message)}" for warning in parsed.warnings]
    if parsed.stopped:
        last = parsed.warnings[-1].line
        lines.append(f"  WSL up to 2.9.4 stops there: whatever follows line {last} has no effect")
    lines += ["", "Defaults:", *(_row(setting) for setting in defaults)]
    return "\n".join(lines)


def _is_image(start: bytes) -> bool:
    return detect(start) is not Compression.NONE or start[_USTAR] == b"ustar"


def _choose_kind(path: Path, kind: str | None, *, image: bool) -> ConfigFile:
    if kind:
        return ConfigFile(kind)
    if not image and path.name in _KINDS:
        return ConfigFile(path.name)
    what = "an image holds two files" if image else "its name does not tell which file it is"
    raise UsageError(what, where=str(path), fix=f"add --kind {' or --kind '.join(_KINDS)}")


def _row(setting: Setting) -> str:
    place = f"line {setting.line}" if setting.line else setting.key.meaning
    return f"  {setting.key.name:<32} {_show(setting.key, setting.value):<24} # {place}".rstrip()


def _show(key: Key, value: Value) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:#05o}".replace("o", "") if key.octal and value >= 0 else str(value)
    return _printable(value) if key.type is KeyType.ENUM else f'"{_printable(value)}"'


def _printable(value: str) -> str:
    """`value` with everything that would disturb a terminal escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in value)
