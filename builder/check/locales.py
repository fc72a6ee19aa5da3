"""Rules about the language of sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.model.finding import Severity

_ENVIRONMENT = "microsoft/WSL src/linux/init/config.cpp"
_ANYWHERE = ("C", "POSIX", "C.UTF-8", "C.utf8")


def _language(image: Image) -> tuple[str, str] | None:
    """The file that sets LANG for sessions, and its value as written."""
    for path in ("etc/default/locale", "etc/locale.conf"):
        if image.find(path) is not None:
            values = [
                line.partition("LANG=")[2]
                for line in image.lines(path)
                if re.match(r"\s*(export )?LANG=", line)
            ]
            return (f"/{path}", values[-1].split("#")[0].strip()) if values else None
    return None


def _has_locale(image: Image, name: str) -> bool:
    if name in _ANYWHERE or image.find("usr/lib/locale/locale-archive") is not None:
        return True
    base, _, charset = name.partition(".")
    spellings = {name, f"{base}.{charset.lower().replace('-', '')}", base}
    return any(image.find(f"usr/lib/locale/{spelling}") is not None for spelling in spellings)


def _find_no_locale(image: Image) -> Iterator[Hit]:
    if image.find("usr/lib/locale") is None and image.find("lib/ld-musl-x86_64.so.1") is not None:
        return
    found = _language(image)
    if found and not _has_locale(image, found[1].strip("\"'")):
        yield Hit(found[0], f"LANG is {found[1]}, a locale that is not installed")


def _find_default_locale(image: Image) -> Iterator[Hit]:
    musl = any(re.match(rb"lib/ld-musl-", path) for path in image.tree.nodes)
    if (
        _language(image) is None
        and image.find("bin/sh")
        and not musl
        and not _has_locale(image, "en_US.UTF-8")
    ):
        yield Hit(
            "/etc/default/locale", "sets no LANG, and en_US.UTF-8, which WSL takes then, is not installed"
        )


def _find_quoted_locale(image: Image) -> Iterator[Hit]:
    found = _language(image)
    if found and found[1][:1] in ("'", '"'):
        yield Hit(found[0], f"LANG={found[1]} has quotes")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL416",
        severity=Severity.WARNING,
        title="The locale of sessions is not installed",
        why="programs warn at every start (microsoft/WSL#11605)",
        source=_ENVIRONMENT,
        fix="set LANG=C.UTF-8, or generate the locale",
        find=_find_no_locale,
    ),
    Rule(
        id="WSL417",
        severity=Severity.INFO,
        title="No locale is set",
        why="WSL sets LANG=en_US.UTF-8 then, and programs warn",
        source="microsoft/WSL#13207",
        fix="write LANG=C.UTF-8 to /etc/default/locale",
        find=_find_default_locale,
    ),
    Rule(
        id="WSL418",
        severity=Severity.WARNING,
        title="The locale is in quotes",
        why="the WSL of today keeps them as part of the name",
        source=_ENVIRONMENT,
        fix="write it without quotes",
        find=_find_quoted_locale,
    ),
)
