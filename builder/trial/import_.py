"""IMPORT: extracts an image as WSL does and judges whether WSL would register it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from builder.trial.extract import extract_image
from builder.trial.inside import Inside
from builder.trial.report import StageLog
from builder.wsl import limits
from builder.wsl.codes import find_code
from builder.wsl.config import ParsedConfig, parse_config
from builder.wsl.keys import ConfigFile
from builder.wsl.names import doubt_name, refuse_name
from builder.wsl.os_release import Flavor, read_flavor
from builder.wsl.terminal import Registration, check_template, fragment

_ANY_GUID = uuid.UUID("00000000-0000-0000-0000-000000000000")


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What WSL would keep of the image. `name` is empty where the user has to give one."""

    tree: Inside
    name: str
    flavor: Flavor
    wsl: ParsedConfig
    distribution: ParsedConfig


def import_image(image: Path, tree: Path, log: StageLog, *, wsl1: bool) -> Imported | None:
    """Extract `image` into the empty folder `tree`; None where WSL would refuse it."""
    if (refusal := extract_image(image, tree, log, wsl1=wsl1)) is not None:
        _refuse(log, "WSL_E_IMPORT_FAILED", refusal.message, rule=refusal.rule)
    inside = Inside(tree)
    if not log.failed and not (inside.exists("/etc") or inside.exists("/bin/sh")):
        _refuse(log, "WSL_E_NOT_A_LINUX_DISTRO", "the image has neither /etc nor /bin/sh", rule="WSL002")
    if log.failed:
        return None
    imported = _read_metadata(inside, log)
    _judge_name(imported.name, log)
    _judge_icon(imported, log)
    _judge_terminal(imported, log)
    return imported


def _refuse(log: StageLog, code_name: str, message: str, *, path: str = "", rule: str) -> None:
    code = find_code(code_name)
    assert code is not None
    log.fact("error code", f"Wsl/Service/RegisterDistro/{code.name} ({code.hex})")
    log.fail(message, path=path, fix=code.fix, rule=rule)


def _read_metadata(inside: Inside, log: StageLog) -> Imported:
    configs = {}
    for kind in (ConfigFile.WSL_CONF, ConfigFile.DISTRIBUTION_CONF):
        configs[kind] = parse_config(inside.read(kind.path) or b"", kind)
        for warning in configs[kind].warnings:
            log.warn(f"WSL says: {warning.message}", path=f"{kind.path}:{warning.line}", rule="WSL103")
    flavor = read_flavor(inside.read("/etc/os-release") or b"")
    distribution = configs[ConfigFile.DISTRIBUTION_CONF]
    name = distribution.effective["oobe.defaultName"]
    log.fact("name", name or "none: --name is needed")
    log.fact("flavor", f"{flavor.flavor or 'none'} {flavor.version or ''}".rstrip())
    return Imported(
        tree=inside,
        name=str(name or ""),
        flavor=flavor,
        wsl=configs[ConfigFile.WSL_CONF],
        distribution=distribution,
    )


def _judge_name(name: str, log: StageLog) -> None:
    place = ConfigFile.DISTRIBUTION_CONF.path
    if not name:
        code = find_code("WSL_E_DISTRIBUTION_NAME_NEEDED")
        assert code is not None
        message = f"without --name the import ends with {code.name}"
        log.warn(message, path=place, fix=code.fix, rule="WSL111")
    elif reason := refuse_name(name):
        _refuse(log, "E_INVALIDARG", f"oobe.defaultName {name!r} {reason}", path=place, rule="WSL112")
    else:
        for doubt in doubt_name(name):
            log.warn(f"oobe.defaultName {name!r} {doubt}", path=place, rule="WSL113")


def _judge_icon(imported: Imported, log: StageLog) -> None:
    path = imported.distribution.effective["shortcut.icon"]
    if not path:
        log.fact("icon", "wsl.exe's")
        return
    data = _read_named(imported.tree, str(path), limits.ICON, "shortcut.icon", log)
    if data is not None:
        log.fact("icon", f"{path} ({len(data)} bytes)")
        if not data.startswith(b"\0\0\1\0"):
            log.warn("is no ICO file: Windows shows a blank icon", path=str(path), rule="WSL603")


def _judge_terminal(imported: Imported, log: StageLog) -> None:
    settings = imported.distribution.effective
    if not settings["windowsterminal.enabled"]:
        log.fact("terminal profile", "none: windowsterminal.enabled is false")
        return
    path, template = settings["windowsterminal.profileTemplate"], None
    if path:
        template = _read_named(
            imported.tree, str(path), limits.PROFILE_TEMPLATE, "windowsterminal.profileTemplate", log
        )
    try:
        text = fragment(template, Registration(name=imported.name, guid=_ANY_GUID, flavor=imported.flavor))
    except ValueError as error:
        log.fail(f"WSL writes no terminal profile: {error}", path=str(path), rule="WSL605")
        return
    log.fact("terminal profile", f"{path or 'built-in template'}, {len(text)} bytes")
    for warning in check_template(template).warnings if template else ():
        log.warn(warning, path=str(path), rule="WSL606")


def _read_named(inside: Inside, path: str, limit: int, key: str, log: StageLog) -> bytes | None:
    """The file that `key` names, as WSL reads it; WSL goes on without it, so its absence is a warning."""
    rule = "WSL601"
    if ".." in path:
        reason = "WSL refuses a path with '..'"
    elif (data := inside.read(path, limit + 1)) is None:
        reason = "the file is missing"
    elif len(data) > limit:
        reason, rule = f"has more than {limit} bytes", "WSL602"
    else:
        return data
    log.warn(f"{key} is ignored: {reason}", path=path, rule=rule)
    return None
