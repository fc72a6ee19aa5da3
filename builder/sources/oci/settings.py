"""What an image says of its containers, as far as a system has a place for it.

ENV goes to /etc/profile.d, which login shells read (the ones WSL starts are). A folder of PATH is put before
what is there, as WSL adds the folders of Windows to PATH; everything else has no counterpart, or one that
the recipe decides about, and is told instead.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from builder.core.digests import sha256_bytes
from builder.model.entry import Kind
from builder.model.lock import ImageConfig
from builder.model.operation import Content, Operation, Put, PutEntry

PROFILE = "/etc/profile.d/00-image-env.sh"
_STANDARD = frozenset(f"{prefix}/{name}" for prefix in ("", "/usr", "/usr/local") for name in ("bin", "sbin"))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_SESSIONS = {
    **dict.fromkeys(
        ("HOME", "USER", "LOGNAME", "SHELL", "PWD", "HOSTNAME", "TERM"), "sessions have their own"
    ),
    "LANG": "the recipe decides it: wsl.locale",
    "container": "it would make programs believe they run in a container",
}


def image_operations(config: ImageConfig) -> tuple[Operation, ...]:
    """What gives login shells the variables of the image; nothing if there are none."""
    lines = [line for name, value in _carried(config) for line in _assign(name, value)]
    if not lines:
        return ()
    data = "".join(f"{line}\n" for line in ("# The environment of the container image.", *lines)).encode()
    content = Content(digest=sha256_bytes(data), size=len(data), data=data)
    return (Put(entries=(PutEntry(path=PROFILE, kind=Kind.FILE, content=content),)),)


def describe_left_behind(config: ImageConfig) -> tuple[str, ...]:
    """A line for each thing the image says that the system does not do, and what to do about it."""
    return (
        *(f"ENV {name} is not kept: {why}" for name, why in _refused(config)),
        *_tell(
            "USER",
            config.user,
            "name that account in wsl.default_user",
            ("", "0", "root", "0:0", "root:root"),
        ),
        *_tell("WORKDIR", config.working_dir, "shells start where WSL puts them", ("", "/")),
        *_tell("SHELL", _command(config.shell), "steps run with their own shell"),
        *_tell("ENTRYPOINT", _command(config.entrypoint), "start it with wsl.boot_command or a systemd unit"),
        *_tell("CMD", _command(config.command), "start it with wsl.boot_command or a systemd unit"),
        *_tell("VOLUME", ", ".join(config.volumes), "these are plain folders of the image"),
        *_tell("EXPOSE", ", ".join(config.ports), "WSL forwards ports by itself"),
        *_tell("HEALTHCHECK", _command(config.healthcheck), "nothing runs it", ("", "NONE")),
    )


def _tell(name: str, value: str, advice: str, usual: tuple[str, ...] = ("",)) -> Iterator[str]:
    if value not in usual:
        yield f"{name} {value} has no effect: {advice}"


def _command(words: tuple[str, ...]) -> str:
    return shlex.join(words)


def _variables(config: ImageConfig) -> dict[str, str]:
    return {name: value for name, _, value in (text.partition("=") for text in config.env)}


def _carried(config: ImageConfig) -> Iterator[tuple[str, str]]:
    refused = dict(_refused(config))
    yield from ((name, value) for name, value in _variables(config).items() if name not in refused)


def _refused(config: ImageConfig) -> Iterator[tuple[str, str]]:
    for name, value in _variables(config).items():
        if name in _OF_SESSIONS:
            yield name, _OF_SESSIONS[name]
        elif name.startswith("LC_"):
            yield name, "the recipe decides it: wsl.locale"
        elif not _NAME.fullmatch(name) or "\0" in value:
            yield name, "no shell can hold it"


def _assign(name: str, value: str) -> Iterator[str]:
    if name != "PATH":
        yield f"export {name}={_quote(value)}"
        return
    # The last is put first, so that their order stays.
    for folder in reversed(value.split(":")):
        if folder.startswith("/") and folder.rstrip("/") not in _STANDARD:
            quoted = _quote(folder)
            yield f'case ":$PATH:" in *:{quoted}:*) ;; *) PATH={quoted}:"$PATH" ;; esac'


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
