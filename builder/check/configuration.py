"""Rules about how /etc/wsl.conf and /etc/wsl-distribution.conf are written."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.model.entry import Kind
from builder.model.finding import Severity
from builder.wsl.config import ParsedConfig
from builder.wsl.keys import ConfigFile, find_key, validator_accepts

_PARSER = "microsoft/WSL src/shared/configfile/configfile.cpp:ParseConfigFile"


def find_configs(image: Image) -> Iterator[ParsedConfig]:
    """The configuration files that are there."""
    yield from (config for config in (image.wsl_conf, image.distribution_conf) if config is not None)


def _find_missing(image: Image) -> Iterator[Hit]:
    if image.find("etc/wsl-distribution.conf") is None:
        yield Hit(
            "/etc/wsl-distribution.conf", "is missing, so that the image has no name and no first start"
        )


def _find_stop(image: Image) -> Iterator[Hit]:
    for config in find_configs(image):
        if config.stopped:
            warning = config.warnings[-1]
            yield Hit(
                f"{config.file.path}:{warning.line}", f"{warning.message}; the rest of the file is ignored"
            )


def _find_warnings(image: Image) -> Iterator[Hit]:
    for config in find_configs(image):
        for warning in config.warnings[: -1 if config.stopped else None]:
            yield Hit(f"{config.file.path}:{warning.line}", warning.message)


def _find_odd_file(image: Image) -> Iterator[Hit]:
    for file in ConfigFile:
        node = image.find(file.path, follow=False)
        if node is None:
            continue
        if node.kind is not Kind.FILE:
            yield Hit(file.path, f"is a {node.kind.name.lower()}, expected a regular file")
        elif (node.mode, node.uid, node.gid) != (0o644, 0, 0):
            yield Hit(file.path, f"is {node.mode:04o} {node.uid}:{node.gid}, expected 0644 0:0")


def _find_odd_bytes(image: Image) -> Iterator[Hit]:
    for file in ConfigFile:
        data = image.content(file.path) or b""
        if not data.isascii():
            yield Hit(file.path, "has bytes that are not ASCII")
        if b"\r" in data:
            yield Hit(file.path, "has lines that end in CR")
        if b"%" in data:
            yield Hit(file.path, "has a %, at which Microsoft's validator stops")


def _find_unlisted_keys(image: Image) -> Iterator[Hit]:
    for config in find_configs(image):
        for name, _ in config.entries:
            if find_key(config.file, name) and not validator_accepts(config.file, name):
                yield Hit(config.file.path, f"{name} is not in the list of Microsoft's validator")


def _find_too_new(image: Image) -> Iterator[Hit]:
    for config in find_configs(image):
        for setting in config.settings:
            since = setting.key.since
            if not setting.line or not since.startswith("WSL "):
                continue
            if tuple(map(int, since.removeprefix("WSL ").split("."))) > image.options.min_wsl:
                wanted = ".".join(map(str, image.options.min_wsl))
                yield Hit(
                    f"{config.file.path}:{setting.line}", f"{setting.key.name} needs {since}, not {wanted}"
                )


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL101",
        severity=Severity.WARNING,
        title="There is no /etc/wsl-distribution.conf",
        why="installing it needs --name, a double click fails with WSL_E_DISTRIBUTION_NAME_NEEDED",
        source="microsoft/WSL src/linux/init/main.cpp:PostProcessImportedDistribution",
        fix="ship the file with at least oobe.defaultName",
        find=_find_missing,
    ),
    Rule(
        id="WSL102",
        severity=Severity.ERROR,
        title="A configuration file has a syntax error",
        why="WSL stops reading there, without a word for wsl-distribution.conf",
        source=_PARSER,
        fix="correct the line; comments begin with # and stand on their own line",
        find=_find_stop,
    ),
    Rule(
        id="WSL103",
        severity=Severity.WARNING,
        title="WSL warns about a configuration file",
        why="what wsl.conf causes is shown at every start of a fresh image",
        source="microsoft/WSL src/shared/configfile/configfile.cpp:SetConfig",
        fix="remove or correct the line",
        find=_find_warnings,
    ),
    Rule(
        id="WSL104",
        severity=Severity.WARNING,
        title="A configuration file is no plain file of root",
        why="WSL reads wsl.conf also from outside, where an absolute link leads nowhere",
        source="microsoft/WSL src/linux/init/main.cpp:ProcessLaunchInitMessage",
        fix="make it a regular file, 0644 0:0",
        find=_find_odd_file,
    ),
    Rule(
        id="WSL105",
        severity=Severity.WARNING,
        title="A configuration file has bytes that readers disagree on",
        why="WSL, older versions of it and Microsoft's validator read them differently",
        source=_PARSER + "; distributions/validate-modern.py",
        fix="write ASCII with LF, and no %",
        find=_find_odd_bytes,
    ),
    Rule(
        id="WSL106",
        severity=Severity.WARNING,
        title="A key is newer than the oldest WSL to run on",
        why="older versions warn about an unknown key at every start",
        source="https://github.com/microsoft/WSL/releases",
        fix="leave the key out, or raise --min-wsl",
        find=_find_too_new,
    ),
    Rule(
        id="WSL107",
        severity=Severity.INFO,
        title="Microsoft's validator does not know a key",
        why="the list of Microsoft would refuse the image, WSL itself reads the key",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="leave it out if the image is meant for that list",
        find=_find_unlisted_keys,
    ),
)
