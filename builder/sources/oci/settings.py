"""What an image says of its containers, as far as a system has a place for it.

ENV goes to /etc/profile.d, which login shells read (the ones WSL starts are). A folder of PATH is put before
what is there, as WSL adds the folders of Windows to PATH. USER becomes `user.default` of wsl.conf where the
recipe leaves that open. Everything else has no counterpart, or one that the recipe decides about, and is told
instead.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from builder.core.digests import sha256_bytes
from builder.model.entry import Kind
from builder.model.lock import ImageConfig
from builder.model.operation import Content, Operation, Put, PutEntry
from builder.sources.oci.flatten import Tree

PROFILE = "/etc/profile.d/00-image-env.sh"
_STANDARD = frozenset(f"{prefix}/{name}" for prefix in ("", "/usr", "/usr/local") for name in ("bin", "sbin"))
# As a recipe's wsl.default_user: what every tool takes.
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
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


def find_user(config: ImageConfig, tree: Tree) -> str:
    """The name in /etc/passwd of `tree` that USER (NAME or UID, either with :GROUP) stands for; empty for
    root, and where there is no such account."""
    wanted = config.user.partition(":")[0]
    lines = (tree.read(b"etc/passwd") or b"").decode("utf-8", "replace").splitlines()
    accounts = [fields for fields in (line.split(":") for line in lines) if len(fields) > 2]
    for name, _, uid, *_ in accounts:
        if wanted in (name, uid) and uid != "0" and _ACCOUNT.fullmatch(name):
            return name
    return ""


def describe_left_behind(config: ImageConfig, user: str = "") -> tuple[str, ...]:
    """A line for each thing the image says that the system does not do, and what to do about it. `user` is
    the account that USER stands for."""
    return (
        *(f"ENV {name} is not kept: {why}" for name, why in _refused(config)),
        *_tell_user(config.user, user),
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


def _tell_user(wanted: str, user: str) -> Iterator[str]:
    if user:
        yield f"USER {wanted}: sessions are {user}'s where first_run is none and wsl.default_user not given"
    else:
        advice = "there is no such account; add one with `users` and name it in wsl.default_user"
        yield from _tell("USER", wanted, advice, ("", "0", "root", "0:0", "root:root"))


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
