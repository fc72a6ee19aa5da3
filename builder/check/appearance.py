"""Rules about the icon and the Windows Terminal profile."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.icon import refuse_icon
from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.tree import Node
from builder.model.finding import Severity
from builder.wsl.limits import ICON, PROFILE_TEMPLATE
from builder.wsl.terminal import check_template

_POST = "microsoft/WSL src/linux/init/main.cpp:PostProcessImportedDistribution"
_PROFILE = "microsoft/WSL src/windows/service/exe/LxssUserSession.cpp:_CreateTerminalProfile"
_CONF = "/etc/wsl-distribution.conf"


def _named(image: Image, key: str) -> tuple[str, Node | None] | None:
    """The path that `key` names and what is there."""
    path = image.setting(key)
    return (path, image.find(path)) if isinstance(path, str) and path else None


def _find_lost(image: Image) -> Iterator[Hit]:
    for key in ("shortcut.icon", "windowsterminal.profileTemplate"):
        if (named := _named(image, key)) is not None:
            path, node = named
            if ".." in path:
                yield Hit(_CONF, f"{key} {path} has `..` in it, which WSL refuses")
            elif node is None:
                yield Hit(path, f"does not exist, but {key} names it")


def _find_too_large(image: Image) -> Iterator[Hit]:
    for key, limit in (("shortcut.icon", ICON), ("windowsterminal.profileTemplate", PROFILE_TEMPLATE)):
        named = _named(image, key)
        if named and named[1] and named[1].size > limit:
            yield Hit(named[0], f"has {named[1].size} bytes, WSL reads at most {limit}")


def _find_bad_icon(image: Image) -> Iterator[Hit]:
    named = _named(image, "shortcut.icon")
    if named and named[1] and named[1].content is not None and (refusal := refuse_icon(named[1].content)):
        yield Hit(named[0], refusal)


def _find_no_icon(image: Image) -> Iterator[Hit]:
    if image.distribution_conf and image.setting("shortcut.enabled") and not image.setting("shortcut.icon"):
        yield Hit(_CONF, "shortcut.icon is not set")


def _template(image: Image) -> tuple[str, bytes] | None:
    named = _named(image, "windowsterminal.profileTemplate")
    if named is None or named[1] is None or named[1].content is None:
        return None
    return named[0], named[1].content


def _find_bad_template(image: Image) -> Iterator[Hit]:
    if (template := _template(image)) is not None:
        yield from (Hit(template[0], error) for error in check_template(template[1]).errors)


def _find_odd_template(image: Image) -> Iterator[Hit]:
    if (template := _template(image)) is not None:
        yield from (Hit(template[0], warning) for warning in check_template(template[1]).warnings)


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL601",
        severity=Severity.WARNING,
        title="A file that the configuration names is not there",
        why="WSL goes on without it, and only its log tells",
        source=_POST,
        fix="ship the file, or remove the setting",
        find=_find_lost,
    ),
    Rule(
        id="WSL602",
        severity=Severity.WARNING,
        title="The icon or the profile is too large",
        why="WSL goes on without it, and only its log tells (Microsoft's guide says 10 MB)",
        source=_POST,
        fix="make it smaller",
        find=_find_too_large,
    ),
    Rule(
        id="WSL603",
        severity=Severity.WARNING,
        title="The icon is no icon",
        why="Windows shows a blank page instead",
        source="ICO: https://learn.microsoft.com/previous-versions/ms997538(v=msdn.10)",
        fix="convert it to ICO with sizes 16 to 256",
        find=_find_bad_icon,
    ),
    Rule(
        id="WSL604",
        severity=Severity.INFO,
        title="There is no icon",
        why="the start menu shows that of wsl.exe",
        source=_POST,
        fix="set shortcut.icon",
        find=_find_no_icon,
    ),
    Rule(
        id="WSL605",
        severity=Severity.WARNING,
        title="WSL refuses the Terminal profile",
        why="there is no profile at all then, not even the default one",
        source=_PROFILE,
        fix="write strict JSON: an object with an array `profiles` of objects",
        find=_find_bad_template,
    ),
    Rule(
        id="WSL606",
        severity=Severity.INFO,
        title="Something in the Terminal profile has no effect",
        why="WSL or Windows Terminal overwrite or ignore it",
        source=_PROFILE,
        fix="leave it out",
        find=_find_odd_template,
    ),
)
