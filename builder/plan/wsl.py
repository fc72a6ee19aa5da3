"""The operations that every image gets without asking: what WSL reads from it.

Where WSL looks is from microsoft/WSL: src/linux/init/main.cpp:PostProcessImportedDistribution (icon, terminal
profile, name), src/linux/init/init.cpp (first launch) and src/linux/init/config.cpp (LANG, fstab).
"""

from __future__ import annotations

from collections.abc import Mapping

from builder.core.digests import canonical_json, sha256_bytes
from builder.model.assets import Assets
from builder.model.entry import Kind
from builder.model.operation import Content, Edit, Exec, Operation, Put, PutEntry
from builder.recipe import Recipe
from builder.steps.families import Family
from builder.templating import render_shipped
from builder.wsl.config import read_value
from builder.wsl.emit import emit_config
from builder.wsl.keys import ConfigFile, Value, find_key
from builder.wsl.units import MaskPolicy, units_to_mask

FIRST_RUN = "/usr/libexec/wsl/first-run"
HOOKS = "/usr/lib/wslimg/first-run.d"
ICON = "/usr/lib/wsl/icon.ico"
TERMINAL_PROFILE = "/usr/lib/wsl/terminal-profile.json"
IMAGE_RECORD = "/usr/lib/wsl/image.json"
OS_RELEASE = "/usr/lib/os-release"
FSTAB = b"# Empty on purpose: WSL mounts what it needs and reports every line that fails at each start.\n"

# Locales that the C library has without any definition file.
_BUILT_IN_LOCALES = ("C", "C.UTF-8", "POSIX")


def wsl_operations(recipe: Recipe, family: Family, assets: Assets, digest: str) -> tuple[Operation, ...]:
    """One Put with all of it, after the command that makes a locale other than C.UTF-8.

    `digest` is the recipe's. Raises SettingError when a setting cannot be written for WSL.
    """
    entries = (
        *_configuration(recipe),
        *_first_run(recipe, family),
        *_looks(assets),
        *_locale(recipe.wsl.locale),
        *_masks(recipe),
        _file("/etc/fstab", FSTAB),
        _file(IMAGE_RECORD, _record(recipe, digest)),
    )
    return (*_generate_locale(recipe.wsl.locale), Put(entries=entries, edits=_name_image(recipe)))


def wsl_conf(recipe: Recipe) -> dict[str, Value]:
    """The settings of /etc/wsl.conf: what the recipe says by name, then its `conf`."""
    wsl = recipe.wsl
    named: dict[str, Value] = {
        "boot.systemd": wsl.systemd,
        "boot.command": wsl.boot_command,
        "user.default": wsl.default_user,
        "network.hostname": wsl.hostname,
    }
    return _without_none(named) | _typed(wsl.conf, ConfigFile.WSL_CONF)


def distribution_conf(recipe: Recipe) -> dict[str, Value]:
    """The settings of /etc/wsl-distribution.conf."""
    asks = recipe.first_run.mode != "none"
    named: dict[str, Value] = {
        "oobe.command": FIRST_RUN if asks else None,
        "oobe.defaultUid": recipe.first_run.uid if asks else None,
        "oobe.defaultName": recipe.wsl.default_name or recipe.name,
        "shortcut.icon": ICON,
        "shortcut.enabled": None if recipe.wsl.shortcut else False,
        "windowsterminal.profileTemplate": TERMINAL_PROFILE if recipe.wsl.terminal_profile else None,
    }
    return _without_none(named) | _typed(recipe.wsl.distribution_conf, ConfigFile.DISTRIBUTION_CONF)


def _without_none(settings: Mapping[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in settings.items() if value is not None}


def _typed(settings: Mapping[str, str], file: ConfigFile) -> dict[str, Value]:
    """The recipe's texts as the values that WSL takes them for; the recipe's model has checked them."""
    typed: dict[str, Value] = {}
    for name, text in settings.items():
        key = find_key(file, name)
        assert key is not None
        typed[name] = read_value(key, text.encode("utf-8"))
    return typed


def _configuration(recipe: Recipe) -> tuple[PutEntry, ...]:
    return (
        _file("/etc/wsl.conf", emit_config(wsl_conf(recipe), ConfigFile.WSL_CONF)),
        _file(
            "/etc/wsl-distribution.conf", emit_config(distribution_conf(recipe), ConfigFile.DISTRIBUTION_CONF)
        ),
    )


def _first_run(recipe: Recipe, family: Family) -> tuple[PutEntry, ...]:
    first_run = recipe.first_run
    if first_run.mode == "none":
        return ()
    variables = {
        "mode": first_run.mode,
        "uid": first_run.uid,
        "admin": first_run.admin,
        "admin_group": family.admin_group,
        "groups": first_run.groups,
        "user": first_run.user or "",
        "shell": first_run.shell or "",
        "passwordless_sudo": first_run.passwordless_sudo,
        "hooks_dir": HOOKS,
    }
    script = render_shipped("first-run/first-run.sh.j2", variables).encode("utf-8")
    return (_file(FIRST_RUN, script, mode=0o755),)


def _looks(assets: Assets) -> tuple[PutEntry, ...]:
    icon = _file(ICON, assets.icon)
    if assets.terminal_profile is None:
        return (icon,)
    # Microsoft's validator wants this one file unreadable for others (distributions/validate-modern.py).
    return (icon, _file(TERMINAL_PROFILE, assets.terminal_profile, mode=0o640))


def _locale(locale: str) -> tuple[PutEntry, ...]:
    """Both places: WSL before 2.9.4 reads only Debian's, others only systemd's. Unquoted: it keeps quotes."""
    line = f"LANG={locale}\n".encode("ascii")
    return _file("/etc/default/locale", line), _file("/etc/locale.conf", line)


def _generate_locale(locale: str) -> tuple[Exec, ...]:
    if locale in _BUILT_IN_LOCALES:
        return ()
    language, _, charset = locale.partition(".")
    script = (
        'command -v localedef >/dev/null || { echo "localedef is missing" >&2; exit 1; }\n'
        f'localedef --inputfile={language} --charmap={charset or "UTF-8"} "{locale}"\n'
    )
    return (Exec(argv=("/bin/sh", "-e"), stdin=script.encode("ascii")),)


def _masks(recipe: Recipe) -> tuple[PutEntry, ...]:
    if not recipe.wsl.systemd:
        return ()
    return tuple(
        PutEntry(path=f"/etc/systemd/system/{unit.name}", kind=Kind.SYMLINK, target="/dev/null")
        for unit in units_to_mask(MaskPolicy(recipe.wsl.systemd_policy))
    )


def _record(recipe: Recipe, digest: str) -> bytes:
    return canonical_json({"name": recipe.name, "version": recipe.version, "recipe": digest}) + b"\n"


def _name_image(recipe: Recipe) -> tuple[Edit, ...]:
    """IMAGE_ID and IMAGE_VERSION say which image this is, beside which distribution (os-release(5))."""
    assignments = (("IMAGE_ID", recipe.name), ("IMAGE_VERSION", recipe.version))
    return tuple(Edit(path=OS_RELEASE, editor="assignment", arguments=pair) for pair in assignments)


def _file(path: str, data: bytes, *, mode: int = 0o644) -> PutEntry:
    content = Content(digest=sha256_bytes(data), size=len(data), data=data)
    return PutEntry(path=path, kind=Kind.FILE, mode=mode, content=content)
