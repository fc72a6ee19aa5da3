"""What Microsoft's validator reads, and how it judges modes and owners (distributions/validate-modern.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from configparser import ConfigParser, Error

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.tree import Node
from builder.model.finding import Severity

CONF = "/etc/wsl-distribution.conf"
WSL_CONF = "/etc/wsl.conf"
PLAIN = (0o664, 0o644)
_WHY = {
    Severity.ERROR: "Microsoft's list of distributions accepts no image with errors",
    Severity.WARNING: "whoever reviews images for Microsoft's list of distributions is warned of it",
}
Find = Callable[[Image], Iterator[Hit]]


def parse_settings(image: Image, path: str) -> dict[str, str] | None:
    """The settings of a file as Python's configparser reads it; None without the file. Raises its errors."""
    data = image.content(path)
    if data is None:
        return None
    parser = ConfigParser()
    parser.read_string(data.decode("utf-8"))
    return {f"{name}.{key}": value for name in parser.sections() for key, value in parser[name].items()}


def read_settings(image: Image, path: str = CONF) -> dict[str, str]:
    """The settings of a file, {} where there is none or configparser gives up; keys in lower case."""
    try:
        return parse_settings(image, path) or {}
    except (Error, UnicodeDecodeError):
        return {}


def judge_mode(path: str, node: Node | None, modes: tuple[int, ...], *, group: bool = True) -> Iterator[Hit]:
    """Its warnings about `node`: a mode that is not among `modes`, an owner or `group` other than root."""
    if node is None:
        return
    if node.mode not in modes:
        expected = " or ".join(f"{mode:04o}" for mode in modes)
        yield Hit(path, f"has mode {node.mode:04o}, expected {expected}")
    if node.uid or (group and node.gid):
        yield Hit(path, f"belongs to {node.uid}:{node.gid}, expected root")


def find_odd_modes(path: str, modes: tuple[int, ...]) -> Find:
    """The warnings about the file at `path`, links followed."""
    return lambda image: judge_mode(path, image.find(path), modes)


def read_setting(image: Image, key: str) -> str:
    """The value of `key` in wsl-distribution.conf, "" without."""
    return read_settings(image).get(key, "")


def make_row(number: str, severity: Severity, title: str, find: Find) -> Rule[Image]:
    """One verdict: `number` is that of the check in the validator, with a letter where that says more."""
    return Rule(
        id=f"MS{number}",
        severity=severity,
        title=title,
        why=_WHY[severity],
        source="microsoft/WSL distributions/validate-modern.py",
        fix="do as the message says, if the image is meant for that list",
        find=find,
    )
