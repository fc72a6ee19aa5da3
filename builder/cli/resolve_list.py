"""`wslimg catalog resolve`: what wsl.exe finds in a distribution list."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from builder.cli.options import format_option
from builder.core.errors import ExitCode, UsageError
from builder.wsl.codes import find_code
from builder.wsl.lists import ARCHITECTURES, Legacy, ListError, parse_list
from builder.wsl.lookup import (
    Available,
    Defect,
    Found,
    Row,
    default_name,
    doubt_file_url,
    find_defect,
    look_up,
    look_up_default,
    make_available,
    rows_online,
)

_FILE = "file://"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What `wsl --install NAME` does; `name` is None without one. With `defect` it fails, perhaps after it
    `found` an entry. `rows` are the lines of `wsl --list --online`, `default` is the name that stands for
    none."""

    name: str | None
    architecture: str
    found: Found | None = None
    defect: Defect | None = None
    rows: tuple[Row, ...] = ()
    default: str | None = None


@click.command("resolve")
@click.argument("source", metavar="LIST")
@click.argument("name", required=False)
@click.option("--append", metavar="LIST", help="The list of DistributionListUrlAppend, which is asked first.")
@click.option(
    "--arch",
    type=click.Choice(list(ARCHITECTURES)),
    help="Architecture of Windows. [default: this machine's]",
)
@format_option("text", "json")
@click.pass_context
def resolve(
    context: click.Context, source: str, name: str | None, append: str | None, arch: str | None, form: str
) -> None:
    """Show which entry of LIST `wsl --install NAME` takes.

    LIST is a path or a file:// address, read as wsl.exe reads a local list. Without NAME this shows what
    `wsl --list --online` prints and what `wsl --install` takes. Exits with 5 where wsl.exe fails.
    """
    documents = tuple((place, read_document(place)) for place in (source, append) if place is not None)
    answer = resolve_name(documents, name, arch or this_architecture())
    click.echo(render_json(answer) if form == "json" else render_text(answer))
    if answer.defect:
        context.exit(ExitCode.CHECK)


def this_architecture() -> str:
    """The architecture of Windows on a machine like this one."""
    return "arm64" if platform.machine().lower() in ("aarch64", "arm64") else "amd64"


def read_document(place: str) -> bytes:
    """The list at `place`, a path or a file:// address. Raises UsageError when there is none to read."""
    if place.startswith(("http://", "https://")):
        raise UsageError("is not a local list", where=place, fix="download it and give its path")
    try:
        return Path(place.removeprefix(_FILE)).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=place) from None


def resolve_name(documents: tuple[tuple[str, bytes], ...], name: str | None, architecture: str) -> Answer:
    """What wsl.exe answers to `name`. `documents` are (place, content) of one or two lists.

    A failure of wsl.exe is an answer: no ListError leaves.
    """
    answer = Answer(name=name, architecture=architecture)
    try:
        base, *override = (parse_list(data, local=True, where=place) for place, data in documents)
        available = make_available(base, override[0] if override else None, architecture)
        answer = replace(answer, rows=rows_online(available), default=default_name(available))
        found = look_up_default(available) if name is None else look_up(available, name)
    except ListError as error:
        place = f"{error.where}: " if error.where else ""
        defect = Defect(code=error.code, message=place + error.message, fix=error.fix)
        return replace(answer, defect=defect)
    return replace(answer, found=found, defect=_find_defect(found, available))


def render_json(answer: Answer) -> str:
    """The answer for programs."""
    document = {
        "name": answer.name,
        "architecture": answer.architecture,
        "entry": answer.found and _describe(answer.found, answer.architecture),
        "error": answer.defect and _describe_defect(answer.defect),
        "online": [asdict(row) for row in answer.rows],
    }
    return json.dumps(document, indent=2)


def render_text(answer: Answer) -> str:
    """The answer for people."""
    lines = _render_rows(answer.rows) if answer.name is None else []
    command = "wsl --install" if answer.name is None else f"wsl --install {answer.name}"
    if answer.found:
        lines += _render_found(answer, answer.found, command)
    if answer.defect:
        lines += _render_defect(answer, answer.defect, command)
    return "\n".join(lines)


def _render_found(answer: Answer, found: Found, command: str) -> Iterator[str]:
    entry = _describe(found, answer.architecture)
    yield f"`{command}` on {answer.architecture} takes {entry['name']} ({entry['match']})"
    yield from (
        f"  {label}: {entry[label]}" for label in ("friendly_name", "url", "sha256") if label in entry
    )
    if doubt := doubt_file_url(str(entry.get("url", ""))):
        yield f"  warning: the address {doubt}"
    if found.overridden:
        asked = answer.default if answer.name is None else answer.name
        yield f'  wsl: The distribution "{asked}" is provided by an override manifest.'


def _render_defect(answer: Answer, defect: Defect, command: str) -> Iterator[str]:
    error = _describe_defect(defect)
    yield f"`{command}` on {answer.architecture} fails: {error['message']}"
    yield f"  error: {error['code']} ({error['hex']})"
    yield f"  fix: {error['fix']}"


def _find_defect(found: Found, available: Available) -> Defect | None:
    return None if isinstance(found.entry, Legacy) else find_defect(found.entry, available.architecture)


def _describe(found: Found, architecture: str) -> dict[str, str | bool]:
    """The fields of the answer's entry, for both renderings."""
    entry: dict[str, str | bool] = {
        "name": found.entry.name,
        "friendly_name": found.entry.friendly_name,
        "match": found.match.value,
        "flavor": found.flavor,
        "overridden": found.overridden,
    }
    archive = None if isinstance(found.entry, Legacy) else found.entry.archive(architecture)
    if archive:
        entry |= {"url": archive.url, "sha256": archive.sha256}
    return entry


def _describe_defect(defect: Defect) -> dict[str, str]:
    code = find_code(defect.code)
    assert code is not None
    return {"code": code.name, "hex": code.hex, "message": defect.message, "fix": defect.fix or code.fix}


def _render_rows(rows: tuple[Row, ...]) -> list[str]:
    width = 4 + max([len("NAME"), *(len(row.name) for row in rows)])
    header = Row(name="NAME", friendly_name="FRIENDLY NAME")
    return [*(f"{row.name:<{width}}{row.friendly_name}".rstrip() for row in (header, *rows)), ""]
