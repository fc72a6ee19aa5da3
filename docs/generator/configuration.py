"""The page about WSL's two configuration files, from the table of their keys."""

from __future__ import annotations

from builder.wsl.keys import ConfigFile, Key, keys_of
from docs.generator.markdown import code, page, table

_INTRODUCTION = """\
The keys that WSL reads, and what holds without them. A recipe sets most of them through fields of
[`wsl` and `first_run`](recipe.md#wsl); any other goes into `wsl.conf` or `wsl.distribution_conf`:

```yaml
wsl:
  systemd: true
  conf:
    interop: {appendWindowsPath: false}
    filesystem.umask: "027"
```

An unknown key or a value that WSL would complain about is an error of the recipe. `wslimg conf FILE` shows an
existing file as WSL reads it. `since` is empty where a key is older than WSL 2.4.4."""


def configuration_page() -> str:
    """docs/reference/wsl-conf.md."""
    return page("WSL configuration", _INTRODUCTION, *map(_section, ConfigFile))


def _section(file: ConfigFile) -> str:
    head = ("key", "type", "default", "meaning", "since")
    return f"## `{file.path}`\n\n{table(head, map(_row, keys_of(file)))}"


def _row(key: Key) -> tuple[str, ...]:
    kind = " or ".join(map(code, key.choices)) if key.choices else key.type.value
    default = "" if key.default is None else code(_show(key))
    return (code(key.name), kind, default, key.meaning, key.since)


def _show(key: Key) -> str:
    if isinstance(key.default, bool):
        return str(key.default).lower()
    return f"{key.default:04o}" if key.octal else str(key.default)
