"""Paragraphs of `Field: value` lines (deb822(5)): control files, Release files, apt's sources."""

from __future__ import annotations

from collections.abc import Iterator

Paragraph = dict[str, str]


def parse_paragraphs(text: str) -> Iterator[Paragraph]:
    """The paragraphs of `text`. Names are in lower case; continuation lines keep their line breaks."""
    paragraph: Paragraph = {}
    last = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            if paragraph:
                yield paragraph
            paragraph, last = {}, ""
        elif line[0] in " \t":
            if last:
                paragraph[last] += "\n" + line.strip()
        else:
            name, _, value = line.partition(":")
            last = name.strip().lower()
            paragraph[last] = value.strip()
    if paragraph:
        yield paragraph


def parse_paragraph(text: str) -> Paragraph:
    """The first paragraph of `text`, empty if there is none."""
    return next(parse_paragraphs(text), {})
