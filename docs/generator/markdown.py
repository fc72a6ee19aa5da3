"""The few pieces of Markdown that the generated pages consist of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_LITERAL = re.compile(r"(?:^::\n\n)?^((?: {4}.*\n)(?:^ {4}.*\n|^\n(?= {4}))*)", re.MULTILINE)


def page(title: str, introduction: str, *parts: str) -> str:
    """A whole page."""
    note = "<!-- Made by `make docs`; change the code it is made of, not this file. -->"
    return "\n\n".join((f"# {title}", note, introduction, *(part.strip("\n") for part in parts))) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every cell is one line of Markdown."""
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield "|---" * len(head) + "|"
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in cells) + " |"


def code(text: str) -> str:
    """`text` as inline code, nothing for an empty one."""
    return f"`{text}`" if text else ""


def from_docstring(text: str, language: str) -> str:
    """A docstring as Markdown: its indented blocks become fences in `language`."""
    return _LITERAL.sub(lambda found: _fence(found[1], language), text.strip() + "\n").strip()


def _fence(block: str, language: str) -> str:
    """One fence for each alternative: a part that begins, after a blank line, with the block's first line."""
    body = "\n".join(line[4:] for line in block.rstrip("\n").split("\n"))
    first = body.partition("\n")[0]
    parts = re.split(rf"\n\n(?={re.escape(first)}\n)", body)
    return "\n".join(f"```{language}\n{part}\n```\n" for part in parts)
